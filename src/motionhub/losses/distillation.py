"""The loss of knowledge distillation: a student's class probabilities against a teacher's softened ones.

Paper: Hinton, Vinyals, Dean, "Distilling the Knowledge in a Neural Network", 2015, https://arxiv.org/abs/1503.02531.
"""

from torch import Tensor
from torch.nn import functional


def soft_target_loss(student: Tensor, teacher: Tensor, temperature: float = 1.0) -> Tensor:
    """`temperature² KL(teacher / temperature || student / temperature)` of each clip, at least in float32.

    The factor keeps the size of the gradient whatever the temperature. With a one-hot teacher (logits far apart) this
    is the cross entropy; it is 0 where both give the same probabilities.

    Args:
        student, teacher: `(batch, classes)` logits; the teacher's gets no gradient.
        temperature: above 0; the higher, the more the teacher's unlikely classes count.

    Returns:
        `(batch,)`.

    Raises:
        ValueError: shapes differ, or the temperature is not above 0.
    """
    if student.shape != teacher.shape or student.ndim != 2:
        raise ValueError(
            f"Distillation expects logits (batch, classes) of one shape, got {tuple(student.shape)} of the student "
            f"and {tuple(teacher.shape)} of the teacher; give the student the teacher's classes in their order."
        )
    if not temperature > 0:
        raise ValueError(f"temperature must be above 0, got {temperature!r}; 1 leaves the teacher as it is.")
    own = functional.log_softmax(student.float() / temperature, dim=-1)
    given = functional.log_softmax(teacher.detach().float() / temperature, dim=-1)
    return functional.kl_div(own, given, reduction="none", log_target=True).sum(-1) * temperature**2
