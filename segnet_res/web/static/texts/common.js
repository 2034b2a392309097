export default {
  remove: "Remove: {what}",
};
