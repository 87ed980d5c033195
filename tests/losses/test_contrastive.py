"""InfoNCE against numbers worked out by hand, in every form; alignment and uniformity of known point sets."""

import math

import pytest
import torch
from torch.nn import functional

from motionhub.losses.contrastive import (
    alignment,
    frame_info_nce,
    info_nce,
    info_nce_of_queue,
    info_nce_of_similarities,
    uniformity,
)


QUERY = torch.tensor([[2.0, 0.0]])  # cosines: with x 1, with y 0, with -x -1; the length 2 must not matter
X, Y, MINUS_X = [1.0, 0.0], [0.0, 3.0], [-1.0, 0.0]


def test_one_positive_two_negatives_by_hand():
    loss = info_nce(QUERY, torch.tensor([X]), torch.tensor([Y, MINUS_X]), temperature=0.5)
    # exponents 2, 0, -2
    expected = math.log(math.exp(2) + 1 + math.exp(-2)) - 2
    assert float(loss) == pytest.approx(expected, abs=1e-6)


def test_the_printed_denominator_omits_the_positive():
    loss = info_nce(QUERY, torch.tensor([X]), torch.tensor([Y, MINUS_X]), temperature=0.5, denominator="printed")
    expected = math.log(1 + math.exp(-2)) - 2
    assert float(loss) == pytest.approx(expected, abs=1e-6)
    assert float(loss) < 0  # the standard form never is


def test_two_positives_each_and_summed_by_hand():
    positives, negatives = torch.tensor([[X, Y]]), torch.tensor([MINUS_X])
    each = info_nce(QUERY, positives, negatives, temperature=1.0)
    low = math.exp(-1)
    expected = ((math.log(math.e + low) - 1) + math.log(1 + low)) / 2
    assert float(each) == pytest.approx(expected, abs=1e-6)
    summed = info_nce(QUERY, positives, negatives, temperature=1.0, several="sum")
    assert float(summed) == pytest.approx(-math.log((math.e + 1) / (math.e + 1 + low)), abs=1e-6)
    printed = info_nce(QUERY, positives, negatives, temperature=1.0, several="sum", denominator="printed")
    assert float(printed) == pytest.approx(-math.log((math.e + 1) / low), abs=1e-6)  # LAC's formula


@pytest.mark.parametrize("several", ["each", "sum"])
@pytest.mark.parametrize("count", [1, 7, 4096])
def test_uniform_embeddings_give_the_logarithm_of_how_many_there_are(count, several):
    same = torch.ones(3, 5)
    loss = info_nce(same, same, torch.ones(count, 5), temperature=0.07, several=several)
    assert float(loss) == pytest.approx(math.log(1 + count), abs=1e-4)
    loss = info_nce(same, same, torch.ones(count, 5), temperature=0.07, denominator="printed", several=several)
    assert float(loss) == pytest.approx(math.log(count), abs=1e-4)


def test_in_batch_is_cross_entropy_of_the_similarities():
    generator = torch.Generator().manual_seed(0)
    queries, keys = torch.randn(4, 6, generator=generator), torch.randn(4, 6, generator=generator)
    logits = functional.normalize(queries, dim=1) @ functional.normalize(keys, dim=1).T / 0.2
    expected = functional.cross_entropy(logits, torch.arange(4))
    loss = info_nce(queries, keys, keys, temperature=0.2, negative_mask=~torch.eye(4, dtype=torch.bool))
    assert torch.allclose(loss, expected, atol=1e-6)


def test_a_masked_negative_is_as_good_as_absent():
    generator = torch.Generator().manual_seed(1)
    queries, positives = torch.randn(2, 4, generator=generator), torch.randn(2, 4, generator=generator)
    negatives = torch.randn(5, 4, generator=generator)
    mask = torch.tensor([[True, True, True, False, False]] * 2)
    masked = info_nce(queries, positives, negatives, temperature=0.3, negative_mask=mask)
    assert torch.allclose(masked, info_nce(queries, positives, negatives[:3], temperature=0.3))


def test_negatives_of_their_own_equal_shared_ones_repeated():
    generator = torch.Generator().manual_seed(2)
    queries, positives = torch.randn(3, 4, generator=generator), torch.randn(3, 2, 4, generator=generator)
    negatives = torch.randn(5, 4, generator=generator)
    shared = info_nce(queries, positives, negatives, temperature=0.3)
    own = info_nce(queries, positives, negatives.expand(3, 5, 4), temperature=0.3)
    assert torch.allclose(shared, own)


def test_frames_add_up_by_hand():
    # frame cosines: with the positive 1 and 0, with the negative 0 and -1
    query = torch.tensor([[X, X]])
    positive, negative = torch.tensor([[X, Y]]), torch.tensor([[Y, MINUS_X]])
    loss = frame_info_nce(query, positive, negative, temperature=1.0)
    assert float(loss) == pytest.approx(math.log(math.e + math.exp(-1)) - 1, abs=1e-6)
    mean = frame_info_nce(query, positive, negative, temperature=1.0, over_frames="mean")
    assert float(mean) == pytest.approx(math.log(math.exp(0.5) + math.exp(-0.5)) - 0.5, abs=1e-6)


def test_one_frame_is_the_sequence_loss():
    generator = torch.Generator().manual_seed(3)
    queries, positives = torch.randn(3, 4, generator=generator), torch.randn(3, 2, 4, generator=generator)
    negatives = torch.randn(5, 4, generator=generator)
    frames = frame_info_nce(queries[:, None], positives[:, :, None], negatives[:, None], temperature=0.1)
    assert torch.allclose(frames, info_nce(queries, positives, negatives, temperature=0.1), atol=1e-6)


@pytest.mark.parametrize("denominator", ["standard", "printed"])
@pytest.mark.parametrize("several", ["each", "sum"])
def test_the_gradient_is_the_numerical_one(denominator, several):
    torch.manual_seed(4)
    queries = torch.randn(2, 3, requires_grad=True, dtype=torch.float64)
    positives = torch.randn(2, 2, 3, requires_grad=True, dtype=torch.float64)
    negatives = torch.randn(4, 3, requires_grad=True, dtype=torch.float64)
    mask = torch.tensor([[True, True, False, True], [True, False, True, True]])

    def loss(*parts: torch.Tensor) -> torch.Tensor:
        return info_nce(*parts, temperature=0.5, negative_mask=mask, denominator=denominator, several=several)

    assert torch.autograd.gradcheck(loss, (queries, positives, negatives))


@pytest.mark.parametrize("denominator", ["standard", "printed"])
def test_a_long_queue_gives_the_loss_and_the_gradients_of_all_similarities_at_once(denominator):
    generator = torch.Generator().manual_seed(5)
    queries, positives = (functional.normalize(torch.randn(3, 8, generator=generator), dim=1) for _ in range(2))
    keys = functional.normalize(torch.randn(20_000, 8, generator=generator), dim=1)  # three stretches
    mask = torch.rand(3, 20_000, generator=generator) < 0.9
    mask[0, :9000] = False  # a whole stretch without a negative
    found = {}
    for way in ("queue", "at once"):
        query, temperature = queries.clone().requires_grad_(), torch.tensor(0.07, requires_grad=True)
        how = {"negative_mask": mask, "denominator": denominator}
        if way == "queue":
            loss = info_nce_of_queue(query, positives, keys, temperature=temperature, **how)
        else:
            warmed = (query * positives).sum(1, keepdim=True) / temperature, query @ keys.mT / temperature
            loss = info_nce_of_similarities(*warmed, temperature=1.0, **how)
        loss.backward()
        found[way] = loss.detach(), query.grad, temperature.grad
    for one, other in zip(*found.values(), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)
    halved = info_nce_of_queue(queries, positives, keys.bfloat16(), temperature=0.07, **how)
    torch.testing.assert_close(halved, found["queue"][0], rtol=5e-3, atol=5e-3)


def test_an_empty_queue_is_zero_in_the_standard_form_and_an_error_in_the_printed_one():
    query = torch.tensor([X], requires_grad=True)
    loss = info_nce_of_queue(query, torch.tensor([X]), torch.empty(0, 2), temperature=0.1)
    loss.backward()
    assert float(loss.detach()) == 0 and query.grad.tolist() == [[0, 0]]
    with pytest.raises(ValueError, match="needs a negative"):
        info_nce_of_queue(query, torch.tensor([X]), torch.empty(0, 2), temperature=0.1, denominator="printed")
    with pytest.raises(ValueError, match="denominator must be one of"):
        info_nce_of_queue(query, torch.tensor([X]), torch.empty(0, 2), temperature=0.1, denominator="none")


def test_no_negatives_at_all_is_zero_in_the_standard_form_and_an_error_in_the_printed_one():
    nothing = torch.empty(0, 2)
    assert float(info_nce(QUERY, torch.tensor([Y]), nothing, temperature=0.1)) == 0
    with pytest.raises(ValueError, match="needs a negative"):
        info_nce(QUERY, torch.tensor([Y]), nothing, temperature=0.1, denominator="printed")
    with pytest.raises(ValueError, match="needs a negative"):
        mask = torch.tensor([[False]])
        info_nce(
            QUERY, torch.tensor([Y]), torch.tensor([X]), temperature=0.1, denominator="printed", negative_mask=mask
        )


def test_extreme_logits_stay_finite():
    # 30 frames at temperature 0.07 reach +-428, whose exponential overflows float32
    query = torch.tensor([X]).expand(1, 30, 2)
    loss = frame_info_nce(query, -query, query, temperature=0.07)
    assert float(loss) == pytest.approx(2 * 30 / 0.07, rel=1e-4)


@pytest.mark.parametrize(
    ("queries", "positives", "negatives"),
    [
        (torch.ones(2), torch.ones(2), torch.ones(3, 2)),
        (torch.ones(2, 4), torch.ones(3, 4), torch.ones(3, 4)),
        (torch.ones(2, 4), torch.ones(2, 4), torch.ones(3, 5)),
        (torch.ones(2, 4), torch.ones(2, 0, 4), torch.ones(3, 4)),
        (torch.ones(0, 4), torch.ones(0, 4), torch.ones(3, 4)),
    ],
)
def test_shapes_that_do_not_fit_are_an_error(queries, positives, negatives):
    with pytest.raises(ValueError, match="InfoNCE expects queries"):
        info_nce(queries, positives, negatives, temperature=1.0)


def test_options_that_do_not_exist_are_an_error():
    with pytest.raises(ValueError, match="denominator must be"):
        info_nce(QUERY, QUERY, QUERY, temperature=1.0, denominator="paper")
    with pytest.raises(ValueError, match="temperature must be"):
        info_nce(QUERY, QUERY, QUERY, temperature=0.0)
    with pytest.raises(ValueError, match="over_frames"):
        frame_info_nce(QUERY[None], QUERY[None], QUERY[None], temperature=1.0, over_frames="max")
    with pytest.raises(ValueError, match="one number of frames"):
        frame_info_nce(torch.ones(1, 3, 2), torch.ones(1, 4, 2), torch.ones(1, 3, 2), temperature=1.0)


def test_alignment_and_uniformity_of_known_points():
    axes = torch.eye(4) * 5
    assert float(alignment(axes, axes)) == pytest.approx(0, abs=1e-6)
    assert float(alignment(axes, -axes)) == pytest.approx(4)
    assert float(alignment(axes, axes.roll(1, 0))) == pytest.approx(2)
    assert float(uniformity(axes)) == pytest.approx(-4)  # all squared distances are 2
    assert float(uniformity(torch.ones(6, 3))) == pytest.approx(0, abs=1e-6)
    assert float(uniformity(torch.ones(1, 3))) == 0
