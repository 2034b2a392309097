// Receives the replies to one kind of request and hands them on as an event of the document:
// those of "sr-slot-refine" as "segnet-res:reply:refine". Draws nothing.

export function start({ element, value, onValue }) {
  const kind = element.closest("[id^=sr-slot-]").id.replace("sr-slot-", "");
  const receive = () => {
    const reply = value();
    if (reply) document.dispatchEvent(new CustomEvent(`segnet-res:reply:${kind}`, { detail: reply }));
  };
  onValue(receive);
  receive();
}
