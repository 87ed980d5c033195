"""The memory of contrastive methods: averages, wrap-around and bank steps against numbers worked out by hand."""

import math

import pytest
import torch
from torch import nn

from motionhub.objectives.momentum import FeatureQueue, Gathered, MemoryBank, MomentumEncoder


def network(value: float) -> nn.Sequential:
    made = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))
    for weight in made.parameters():
        nn.init.constant_(weight, value)
    return made


def test_the_copy_follows_slowly_and_never_learns():
    slow = MomentumEncoder(network(1.0), 0.9)
    slow.update(network(0.0))
    slow.update(network(0.0))
    assert all(torch.allclose(weight, torch.tensor(0.81)) for weight in slow.parameters())
    assert not any(weight.requires_grad for weight in slow.parameters())
    assert not slow(torch.randn(4, 2)).requires_grad


def test_momentum_zero_is_the_network_itself_and_one_never_moves():
    twin = MomentumEncoder(network(1.0), 0.0)
    twin.update(network(3.0))
    assert all(bool((weight == 3).all()) for weight in twin.parameters())
    still = MomentumEncoder(network(1.0), 1.0)
    still.update(network(3.0))
    assert all(bool((weight == 1).all()) for weight in still.parameters())


def test_annealed_momentum_rises_along_half_a_cosine():
    slow = MomentumEncoder(network(0.0), 0.994, anneal=True)
    assert slow.momentum_at(0.0) == pytest.approx(0.994)
    assert slow.momentum_at(0.5) == pytest.approx(0.997)
    assert slow.momentum_at(1 / 3) == pytest.approx(1 - 0.006 * 0.75)
    assert slow.momentum_at(1.0) == pytest.approx(1.0)
    assert MomentumEncoder(network(0.0), 0.994).momentum_at(0.9) == 0.994


@pytest.mark.parametrize(("batch_norm", "mean"), [("copy", 4.0), ("average", 1.3), ("own", 1.0)])
def test_what_happens_to_batch_norm_statistics(batch_norm, mean):
    start, goal = network(1.0), network(1.0)
    start[1].running_mean.fill_(1.0)
    goal[1].running_mean.fill_(4.0)
    goal[1].num_batches_tracked.fill_(7)
    slow = MomentumEncoder(start, 0.9, batch_norm=batch_norm)
    slow.update(goal)
    assert torch.allclose(slow.network[1].running_mean, torch.tensor(mean))
    assert int(slow.network[1].num_batches_tracked) == (0 if batch_norm == "own" else 7)


def test_keys_are_normalised_by_their_own_statistics():
    slow = MomentumEncoder(nn.Sequential(nn.BatchNorm1d(3, affine=False)).eval(), 0.9)
    keys = slow(torch.randn(64, 3, generator=torch.Generator().manual_seed(0)) * 5 + 2)
    assert torch.allclose(keys.mean(0), torch.zeros(3), atol=1e-5)
    assert torch.allclose(keys.std(0, unbiased=False), torch.ones(3), atol=1e-4)


def numbered(first: int, count: int) -> torch.Tensor:
    return torch.arange(first, first + count).float()[:, None]


def test_the_queue_wraps_around_with_batches_that_do_not_divide_it():
    queue = FeatureQueue(5, 1)
    for first in (0, 3, 6):
        queue.enqueue(numbered(first, 3), torch.arange(first, first + 3))
    assert queue.features[:, 0].tolist() == [5, 6, 7, 8, 4]
    assert queue.rows.tolist() == [5, 6, 7, 8, 4]
    assert int(queue.position) == 4
    assert queue.is_full


def test_of_a_batch_larger_than_the_queue_the_last_keys_stay():
    queue = FeatureQueue(4, 1)
    queue.enqueue(numbered(0, 1))
    queue.enqueue(numbered(1, 10))
    assert sorted(queue.features[:, 0].tolist()) == [7, 8, 9, 10]
    queue.enqueue(numbered(11, 1))
    assert sorted(queue.features[:, 0].tolist()) == [8, 9, 10, 11]  # the oldest went


def test_a_queue_larger_than_the_data_set_never_calls_a_clip_its_own_negative():
    queue = FeatureQueue(8, 1, start="empty")
    assert queue.negatives().shape == (0, 1)
    for _ in range(2):  # two epochs of three clips
        queue.enqueue(numbered(0, 3), torch.arange(3))
    assert queue.negatives()[:, 0].tolist() == [0, 1, 2, 0, 1, 2]
    assert not queue.is_full
    others = queue.others(torch.tensor([1, 7]))
    assert others.tolist() == [[True, False, True, True, False, True], [True] * 6]


def test_a_random_queue_is_bounded_and_the_same_each_time():
    first, second = FeatureQueue(64, 12), FeatureQueue(64, 12)
    assert torch.equal(first.features, second.features)
    assert float(first.features.abs().max()) <= 0.5  # 1/sqrt(12/3)
    assert float(first.features.abs().max()) > 0.45
    assert first.negatives().shape == (64, 12)
    assert not first.is_full


def test_negatives_are_a_copy():
    queue = FeatureQueue(2, 1)
    before = queue.negatives()
    kept = before.clone()
    queue.enqueue(numbered(5, 2))
    assert torch.equal(before, kept)


def test_frame_level_keys_fit_and_others_are_refused():
    queue = FeatureQueue(4, (3, 2))
    queue.enqueue(torch.ones(2, 3, 2))
    assert queue.negatives().shape == (4, 3, 2)
    with pytest.raises(ValueError, match=r"holds keys of shape \(3, 2\)"):
        queue.enqueue(torch.ones(2, 3))


def test_queue_continues_from_its_state():
    whole, first, second = FeatureQueue(5, 1), FeatureQueue(5, 1), FeatureQueue(5, 1)
    for start in (0, 3):
        whole.enqueue(numbered(start, 3))
    first.enqueue(numbered(0, 3))
    second.load_state_dict(first.state_dict())
    second.enqueue(numbered(3, 3))
    assert all(torch.equal(whole.state_dict()[name], value) for name, value in second.state_dict().items())


def test_the_bank_moves_half_way_and_back_to_the_sphere():
    bank = MemoryBank(4, 2, fingerprint="a", momentum=0.5)
    bank.vectors[1] = torch.tensor([1.0, 0.0])
    untouched = bank.vectors[[0, 2, 3]].clone()
    bank.update(torch.tensor([1]), torch.tensor([[0.0, 7.0]]))
    assert torch.allclose(bank(torch.tensor([1])), torch.tensor([[math.sqrt(0.5), math.sqrt(0.5)]]))
    assert torch.equal(bank.vectors[[0, 2, 3]], untouched)
    assert bank.seen.tolist() == [False, True, False, False]
    assert torch.allclose(bank.vectors.norm(dim=1), torch.ones(4))


def test_the_first_embedding_of_a_row_may_take_its_place_whole():
    bank = MemoryBank(2, 2, fingerprint="a", momentum=0.5, replace_first=True)
    bank.update(torch.tensor([1]), torch.tensor([[5.0, 0.0]]))
    assert bank.vectors[1].tolist() == [1.0, 0.0]
    bank.update(torch.tensor([1]), torch.tensor([[0.0, 5.0]]))
    assert torch.allclose(bank.vectors[1], torch.full((2,), math.sqrt(0.5)))


def test_views_of_one_row_count_as_their_mean_in_any_order():
    one, other = (MemoryBank(3, 2, fingerprint="a", momentum=0.0) for _ in range(2))
    one.update(torch.tensor([2, 0, 2]), torch.tensor([[1.0, 0.0], [3.0, 4.0], [0.0, 1.0]]))
    other.update(torch.tensor([0, 2, 2]), torch.tensor([[3.0, 4.0], [0.0, 1.0], [1.0, 0.0]]))
    assert torch.allclose(one.vectors, other.vectors)
    assert torch.allclose(one.vectors[2], torch.full((2,), math.sqrt(0.5)))
    assert torch.allclose(one.vectors[0], torch.tensor([0.6, 0.8]))


def test_a_bank_of_another_data_set_is_refused():
    state = MemoryBank(4, 2, fingerprint="clips of n-ucla").state_dict()
    MemoryBank(4, 2, fingerprint="clips of n-ucla").load_state_dict(state)
    with pytest.raises(ValueError, match="belongs to another dataset"):
        MemoryBank(4, 2, fingerprint="clips of penn").load_state_dict(state)


def test_gathered_is_in_row_order_and_then_empty():
    collected = Gathered()
    collected.add(torch.tensor([5, 1]), torch.tensor([[50.0], [10.0]]))
    collected.add(torch.tensor([3]), torch.tensor([[30.0]]))
    rows, vectors = collected.take()
    assert rows.tolist() == [1, 3, 5]
    assert vectors[:, 0].tolist() == [10, 30, 50]
    assert not collected.rows


def test_sizes_and_options_that_cannot_be_are_errors():
    with pytest.raises(ValueError, match="momentum must be in"):
        MomentumEncoder(network(1.0), 1.5)
    with pytest.raises(ValueError, match="batch_norm must be"):
        MomentumEncoder(network(1.0), 0.9, batch_norm="sync")
    with pytest.raises(ValueError, match="size >= 1"):
        FeatureQueue(0, 4)
    with pytest.raises(ValueError, match="memory bank"):
        MemoryBank(4, 2, fingerprint="a", momentum=1.0)
