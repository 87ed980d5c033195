"""Poses in boxes, and pose proposal integration against sums done by hand."""

import torch

from motionhub.models.lcr_net import fit_into, integrate_proposals, relative_to


# Four joints at the corners of a square of side 1.
SQUARE = torch.tensor([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])


def square(x: float, y: float, side: float) -> torch.Tensor:
    return SQUARE * side + torch.tensor([x, y])


def test_the_corners_of_the_unit_box_go_to_the_corners_of_the_box_and_back() -> None:
    boxes = torch.tensor([[10.0, 20.0, 30.0, 60.0], [0.0, 0.0, 2.0, 1.0]])
    fitted = fit_into(SQUARE.expand(2, 4, 2), boxes)
    assert fitted[0].tolist() == [[10, 20], [30, 20], [10, 60], [30, 60]]
    torch.testing.assert_close(relative_to(fitted, boxes), SQUARE.expand(2, 4, 2))


def test_two_near_proposals_are_their_mean_weighted_by_score() -> None:
    poses = torch.stack([square(100, 100, 100), square(104, 100, 100)])
    people = integrate_proposals(poses, torch.tensor([0.6, 0.2]), (640, 480))
    torch.testing.assert_close(people.weights, torch.tensor([[0.75, 0.25]]))
    torch.testing.assert_close(people.scores, torch.tensor([0.8]))
    made = torch.einsum("pc,cjd->pjd", people.weights, poses)
    torch.testing.assert_close(made[0], square(101, 100, 100))


def test_people_apart_stay_two_and_come_by_their_sum_of_scores() -> None:
    poses = torch.stack([square(0, 0, 100), square(300, 0, 100), square(302, 0, 100)])
    people = integrate_proposals(poses, torch.tensor([0.5, 0.4, 0.3]), (640, 480))
    torch.testing.assert_close(people.scores, torch.tensor([0.7, 0.5]))
    torch.testing.assert_close(people.weights[1], torch.tensor([1.0, 0.0, 0.0]))


def test_the_mode_with_more_support_wins_over_the_single_best_proposal() -> None:
    # Same box, but the joints are exchanged: mean distance 100 of a side of 100 is far more than a tenth.
    other = square(0, 0, 100)[[1, 0, 3, 2]]
    poses = torch.stack([other, square(0, 0, 100), square(1, 0, 100)])
    people = integrate_proposals(poses, torch.tensor([0.5, 0.4, 0.3]), (640, 480))
    assert people.weights.shape == (1, 3) and people.weights[0, 0] == 0
    torch.testing.assert_close(people.scores, torch.tensor([0.7]))


def test_a_further_mode_needs_its_score() -> None:
    other = square(0, 0, 100)[[1, 0, 3, 2]]
    poses = torch.stack([square(0, 0, 100), other, other, other])
    scores = torch.tensor([0.06, 0.04, 0.04, 0.04])
    assert integrate_proposals(poses, scores, (640, 480)).weights[0].tolist() == [1, 0, 0, 0]
    many = integrate_proposals(poses, scores, (640, 480), min_mode_score=0.01)
    torch.testing.assert_close(many.scores, torch.tensor([0.12]))


def test_overlap_exactly_at_the_limit_is_another_person() -> None:
    # Two boxes 100 x 100, shifted by 50: 5,000 of 15,000.
    poses = torch.stack([square(0, 0, 100), square(50, 0, 100)])
    scores = torch.tensor([0.5, 0.4])
    assert len(integrate_proposals(poses, scores, (640, 480), min_overlap=0.34).scores) == 2
    assert len(integrate_proposals(poses, scores, (640, 480), min_overlap=0.32).scores) == 1


def test_only_the_part_inside_the_picture_counts_for_the_overlap() -> None:
    # In full the overlap is 1/3; left of x = 0 is cut off, which leaves 50 and 100 columns: 1/2.
    poses = torch.stack([square(-50, 0, 100), square(0, 0, 100)])
    people = integrate_proposals(poses, torch.tensor([0.5, 0.4]), (640, 480), min_overlap=0.45)
    assert len(people.scores) == 1


def test_nothing_or_too_little_is_nobody() -> None:
    assert integrate_proposals(torch.zeros(0, 4, 2), torch.zeros(0), (640, 480)).weights.shape == (0, 0)
    weak = integrate_proposals(square(0, 0, 100)[None], torch.tensor([0.001]), (640, 480))
    assert weak.weights.shape == (0, 1) and weak.scores.shape == (0,)


def test_a_pose_outside_the_picture_does_not_hang_the_loop() -> None:
    poses = torch.stack([square(-500, -500, 100), square(-500, -500, 100)])
    assert len(integrate_proposals(poses, torch.tensor([0.5, 0.4]), (640, 480)).scores) == 2
