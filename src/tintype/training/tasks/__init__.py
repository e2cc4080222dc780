"""Which kinds of training there are: the table from a recipe's ``task`` to its class."""

from __future__ import annotations

from tintype.training.tasks.adversarial import AdversarialTask
from tintype.training.tasks.cycle import CycleTask
from tintype.training.tasks.guided import GuidedTask
from tintype.training.tasks.saliency import SaliencyTask
from tintype.training.tasks.supervised import SupervisedTask
from tintype.training.tasks.task import Batch, Setting, Task, lab_of_crops, lightness_of_luma

__all__ = ["TASKS", "Batch", "Setting", "Task", "lab_of_crops", "lightness_of_luma"]

TASKS: dict[str, type[Task]] = {
    "supervised": SupervisedTask,
    "guided": GuidedTask,
    "adversarial": AdversarialTask,
    "saliency": SaliencyTask,
    "cycle": CycleTask,
}
"""A recipe's ``task`` to what trains it."""
