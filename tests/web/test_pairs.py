"""Which pictures and masks belong together by their names."""

from segnet_res.web.pairs import match_names


def test_pairs_are_found_whatever_their_endings_and_order():
    match = match_names(
        ["set/Part 1.JPG", "part 2.png", "part 10.tif"],
        ["masks/part 10_mask.png", "part 1.png", "PART 2-gt.png"],
    )
    assert match.pairs == ((0, 1), (1, 2), (2, 0))
    assert match.problems == ()


def test_whoever_has_no_partner_is_told():
    match = match_names(["a.jpg", "b.jpg"], ["a.png", "c.png"])
    assert match.pairs == ((0, 0),)
    assert match.problems == (
        ("b.jpg", "there is no mask of this name"),
        ("c.png", "there is no picture of this name"),
    )


def test_nothing_is_guessed_where_names_fit_twice():
    match = match_names(["a.jpg", "a.png", "b.jpg"], ["b.png", "b_gt.png"])
    assert match.pairs == ()
    assert match.problems == (
        ("a.jpg", "it shares its name with a.png"),
        ("a.png", "it shares its name with a.jpg"),
        ("b.jpg", "there are several masks of this name: b.png and b_gt.png"),
        ("b.png", "it shares its name with b_gt.png"),
        ("b_gt.png", "it shares its name with b.png"),
    )


def test_a_mask_of_two_pictures_is_nobodys():
    match = match_names(["a.jpg", "a.png"], ["a_mask.png"])
    assert match.pairs == ()
    told = "there are several pictures of this name: a.jpg and a.png"
    assert match.problems[-1] == ("a_mask.png", told)


def test_every_name_is_a_pair_or_has_its_reason():
    pictures = [f"p{i}.jpg" for i in range(7)] + ["x.jpg", "x.png"]
    masks = [f"p{i}_mask.png" for i in range(3, 12)] + ["x.png", "", ".png", "/"]
    match = match_names(pictures, masks)
    assert len(match.pairs) == 4
    told = [name for name, _ in match.problems]
    matched = [pictures[i] for i, _ in match.pairs] + [masks[j] for _, j in match.pairs]
    assert sorted(told + matched) == sorted(pictures + masks)
