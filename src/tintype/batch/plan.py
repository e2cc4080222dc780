"""Which pictures become which results: from the arguments of a run to pairs of source and target.

Everything that can be wrong with the arguments as a whole is found here, before any work: two
results of one name, a result on top of an original, one file name for many pictures.
"""

from __future__ import annotations

import glob
import os
import re
import sys
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from tintype.errors import TintypeError, UnreadableImage, UsageError
from tintype.images import SUFFIXES

RESULT_SUFFIX = "-color"
CONFIDENCE_ENDING = "-confidence.png"
"""How the name of a confidence picture ends, after the stem of its result."""

VARIANT_ENDING = "-variant"
"""How the stem of a variant's result ends, before its number."""

PIPE = "-"

_FileKey = tuple[int, int]
_NO_FILE = "{} is not a file that can be read, nor a folder."


@dataclass(frozen=True)
class Task:
    """One picture to be colorized.

    Attributes:
        source: the picture's file, or its bytes when it comes through a pipe.
        target: where the result goes; None: the result's bytes are handed back.
        named: whether the user named this very file, rather than a folder or pattern around it.
        confidence: where the picture of how sure the network is goes; None: it is not made.
        variant: which colouring, where the run makes several; None: what the options say.
    """

    source: Path | bytes
    target: Path | None
    named: bool = True
    confidence: Path | None = None
    variant: int | None = None

    @property
    def written(self) -> tuple[Path, ...]:
        """Every file that is to be written."""
        return tuple(path for path in (self.target, self.confidence) if path is not None)

    @property
    def label(self) -> str:
        """What to call the picture in messages."""
        return PIPE if isinstance(self.source, bytes) else str(self.source)


@dataclass
class Plan:
    """What a run will do.

    Attributes:
        tasks: the pictures, in the order of the arguments, folders sorted by name.
        refused: named inputs that cannot be used, each with the reason.
        left_out: named inputs that look like Tintype's own results, each with the reason.
        ignored: how many files in folders are no pictures (hidden ones are not counted).
        own: how many files in folders look like Tintype's own results.
    """

    tasks: list[Task] = field(default_factory=list)
    refused: list[tuple[str, TintypeError]] = field(default_factory=list)
    left_out: list[tuple[str, str]] = field(default_factory=list)
    ignored: int = 0
    own: int = 0


@dataclass(frozen=True)
class _Found:
    """A picture, and the folder from which its place in the output is counted."""

    source: Path
    base: Path
    named: bool


def make_plan(
    inputs: Sequence[str],
    output: str | None = None,
    *,
    suffix: str | None = None,
    overwrite: bool = False,
    confidence: bool = False,
    variants: int = 1,
) -> Plan:
    """Find the pictures and decide where each result goes.

    Args:
        inputs: files, folders (searched with everything below them) and patterns (``*``, ``?``,
            ``[a-z]``, ``**``) in any mixture. A file that exists is never taken for a pattern.
        output: None puts each result beside its picture. Otherwise a file, when a single file is
            given (``-`` for standard output), or a folder, in which the structure of the input
            folders is kept.
        suffix: what is added to a result's name before its extension. None: ``-color`` beside
            the picture, nothing in an output folder.
        overwrite: whether a picture that was named itself may be replaced by its own result.
        confidence: whether each result gets a confidence picture beside it, whose name is the
            result's with ``-confidence.png`` in place of its extension.
        variants: how many colourings of each picture are made; the name of number 1 and above has
            ``-variantN`` before its extension.

    Returns:
        The plan. Inputs that cannot be used are in it, for the others are done all the same.

    Raises:
        UsageError: two pictures would have the same result, a result would replace an original,
            or ``output`` does not fit the inputs.
    """
    if "" in inputs or output == "":
        raise UsageError("A file name is empty; the current folder is called '.'.")
    suffix_own = RESULT_SUFFIX if suffix is None else suffix
    _check_suffix(suffix_own)
    plan = Plan()
    found = list(_find(inputs, output, suffix_own, plan))
    placing = _placing(found, inputs, output, suffix)
    tasks: dict[str, list[Task]] = {}
    for item in found:
        key = os.path.abspath(item.source)
        if key not in tasks or item.named:
            target = placing.target_of(item)
            beside = _confidence_of(target) if confidence and target is not None else None
            first = Task(item.source, target, item.named, beside)
            tasks[key] = [first] if variants == 1 else list(_variants(first, variants))
    plan.tasks = [task for of_one in tasks.values() for task in of_one]
    _refuse_collisions(plan.tasks)
    _refuse_originals(plan.tasks, overwrite)
    return plan


def plan_for_pipe(data: bytes, output: str | None = None) -> Plan:
    """The plan for a picture that came through a pipe.

    Args:
        data: the picture's file.
        output: the result's file; None or ``-``: the result goes down the pipe as well.

    Raises:
        UsageError: ``output`` is a folder or no picture's name.
    """
    if output is None or output == PIPE:
        return Plan([Task(data, None)])
    if not _means_a_file(output, single=True):
        raise UsageError(f"The output {output} should be a file whose name ends in {_known()}.")
    return Plan([Task(data, Path(output))])


def _variants(first: Task, count: int) -> Iterator[Task]:
    """The tasks of one picture's colourings; the confidence is the same for all, and made once."""
    if first.target is None:
        raise UsageError("Standard output takes one result; several variants need files.")
    yield replace(first, variant=0)
    for number in range(1, count):
        name = f"{first.target.stem}{VARIANT_ENDING}{number}{first.target.suffix}"
        yield replace(first, target=first.target.with_name(name), confidence=None, variant=number)


def _confidence_of(target: Path) -> Path:
    return target.with_name(f"{target.stem}{CONFIDENCE_ENDING}")


def is_pattern(text: str) -> bool:
    """Whether an argument is a pattern such as ``scans/*.tif`` and no existing file."""
    return glob.has_magic(text) and not os.path.lexists(text)


def _check_suffix(suffix: str) -> None:
    if any(character in suffix for character in "/\\\0"):
        raise UsageError(f"The suffix {suffix!r} must not hold a slash: it is part of a file name.")


def _find(inputs: Sequence[str], output: str | None, own: str, plan: Plan) -> Iterator[_Found]:
    """Every picture that the inputs name or hold; what is not taken is noted in the plan."""
    avoid = _key(Path(output)) if output is not None else None
    for text in inputs:
        path = Path(text)
        if is_pattern(text):
            yield from _match(text, avoid, own, plan)
        elif path.is_dir():
            if len(inputs) == 1 or _key(path) != avoid:  # a shell's pattern names it, too
                yield from _walk(path, path, avoid, own, plan)
        elif (reason := _why_not(path)) is not None:
            plan.refused.append((text, UnreadableImage(reason)))
        elif _looks_own(path, own):
            ending = own if path.stem.endswith(own) else own + CONFIDENCE_ENDING
            reason = f"left out, for its name ends in {ending} like a result; see --suffix."
            plan.left_out.append((text, reason))
        else:
            yield _Found(path, path.parent, named=True)


def _why_not(path: Path) -> str | None:
    """Why a named file cannot be taken, as a sentence, or None."""
    if not os.path.lexists(path):
        return f"There is no file or folder {path}."
    if not path.is_file():
        return _NO_FILE.format(path)
    if not _is_picture(path):
        return f"{path} is no picture that Tintype reads: its name should end in {_known()}."
    return None


def _match(pattern: str, avoid: _FileKey | None, own: str, plan: Plan) -> Iterator[_Found]:
    """The pictures that a pattern matches; folders that it matches are searched.

    The output folder is passed over where the pattern leads into it.
    """
    base = _base_of(pattern)
    rest = Path(pattern).parts[len(base.parts) :]
    only_folders = [""] if pattern.endswith(("/", os.sep)) else []
    search = os.path.join(glob.escape(str(base)), *rest, *only_folders)
    matches = [Path(match) for match in sorted(glob.glob(search, recursive=True))]
    if not matches:
        plan.refused.append((pattern, UnreadableImage(f"No file matches {pattern}.")))
    for match in matches:
        above = [base / folder for folder in match.relative_to(base).parents][:-1]
        if avoid is not None and avoid in map(_key, [match, *above]):
            continue
        if match.is_file():
            yield from _take(match, base, own, plan)
        elif "**" not in pattern and match.is_dir():
            yield from _walk(match, base, avoid, own, plan)


def _base_of(pattern: str) -> Path:
    """The part of a pattern before its first wildcard: ``scans/19*/*.tif`` has ``scans``.

    What looks like a wildcard in the name of a folder that exists is none.
    """
    base = Path()
    for part in Path(pattern).parts[:-1]:
        if glob.has_magic(part) and not (base / part).is_dir():
            break
        base /= part
    return base


def _walk(
    folder: Path, base: Path, avoid: _FileKey | None, own: str, plan: Plan
) -> Iterator[_Found]:
    """The pictures below a folder, sorted; hidden files and the output folder are passed over."""
    root = _key(folder)
    seen = {root} | ({avoid} if avoid is not None else set())
    waiting = [folder]
    while waiting:
        here = waiting.pop()
        try:
            entries = sorted(os.scandir(here), key=lambda entry: entry.name)
        except OSError as error:
            reason = f"The folder {here} cannot be read: {error.strerror}."
            plan.refused.append((str(here), UnreadableImage(reason)))
            continue
        below: list[Path] = []
        for entry in entries:
            path = here / entry.name
            if entry.name.startswith("."):
                continue
            is_file, is_folder = os.path.isfile(path), os.path.isdir(path)  # loops are neither
            if is_file:
                yield from _take(path, base, own, plan)
            elif is_folder and (key := _key(path)) not in seen:
                seen.add(key)
                below.append(path)
            elif not is_folder and _is_picture(path):
                plan.refused.append((str(path), UnreadableImage(_NO_FILE.format(path))))
        waiting.extend(reversed(below))


def _take(path: Path, base: Path, own: str, plan: Plan) -> Iterator[_Found]:
    """A file found in a folder, if it is a picture and no result."""
    if not _is_picture(path):
        plan.ignored += 1
    elif _looks_own(path, own):
        plan.own += 1
    else:
        yield _Found(path, base, named=False)


@dataclass(frozen=True)
class _Placing:
    """Where results go: beside the pictures, into one file, or into a folder."""

    output: str | None
    suffix: str | None
    is_file: bool

    def target_of(self, item: _Found) -> Path | None:
        source = item.source
        if self.output == PIPE:
            return None
        if self.output is not None and self.is_file:
            return Path(self.output)
        default = RESULT_SUFFIX if self.output is None else ""
        added = default if self.suffix is None else self.suffix
        name = f"{source.stem}{added}{source.suffix}"
        if self.output is None:
            return source.with_name(name)
        return Path(self.output) / source.relative_to(item.base).with_name(name)


def _placing(
    found: Sequence[_Found], inputs: Sequence[str], output: str | None, suffix: str | None
) -> _Placing:
    single = len(inputs) == 1 and all(item.named for item in found)
    if output == PIPE and not single:
        raise UsageError("Only the result of a single picture can go to standard output.")
    is_file = output is not None and output != PIPE and _means_a_file(output, single)
    return _Placing(output, suffix, is_file)


def _means_a_file(output: str, single: bool) -> bool:
    """Whether ``output`` is a file (for a single file) rather than a folder."""
    path = Path(output)
    if path.is_dir() or output.endswith(("/", os.sep)):
        return False
    if single:
        if path.suffix and not _is_picture(path):
            raise UsageError(f"The output {output} should end in {_known()}, or be a folder.")
        return _is_picture(path)
    if path.exists() or _is_picture(path):
        raise UsageError(f"The output {output} is a file; for several pictures give a folder.")
    return False


def _refuse_collisions(tasks: Sequence[Task]) -> None:
    taken: dict[str, Task] = {}
    for task in tasks:
        for path in task.written:
            first = taken.setdefault(_name_key(path), task)
            if first is not task:
                verb = "become" if path == task.target else "write"
                raise UsageError(
                    f"{first.label} and {task.label} would both {verb} {path}; "
                    "colorize them in separate runs or into separate folders."
                )


def _refuse_originals(tasks: Sequence[Task], overwrite: bool) -> None:
    """No result may land on an original, however the two names are linked."""
    originals = {_key(task.source): task for task in tasks if isinstance(task.source, Path)}
    for task in tasks:
        for path in task.written:
            victim = originals.get(_key(path))
            itself = victim is task and task.named and path == task.target
            if victim is None or (itself and overwrite):
                continue
            advice = "--overwrite allows it" if itself else "give another folder or a --suffix"
            raise UsageError(
                f"The result of {task.label} would overwrite the original {victim.label}; {advice}."
            )


def _name_key(path: Path) -> str:
    """A name as the file system compares it: some take ``X.jpg`` and ``x.jpg`` for one."""
    name = os.path.normcase(os.path.abspath(path))
    if sys.platform in ("darwin", "win32"):
        name = unicodedata.normalize("NFC", name).casefold()
    return name


def _key(path: Path) -> _FileKey | None:
    """The identity of a file through all its links, or None when there is none."""
    try:
        stat = path.stat()
    except OSError:
        return None
    return (stat.st_dev, stat.st_ino)


def _is_picture(path: Path) -> bool:
    return path.suffix.lower() in SUFFIXES


def _looks_own(path: Path, own: str) -> bool:
    """Whether a file is called like the result, or its confidence picture, of one beside it."""
    stem = re.sub(rf"{VARIANT_ENDING}\d+$", "", path.stem)
    if own and stem.endswith(own):
        return path.with_name(stem.removesuffix(own) + path.suffix).exists()
    if own and path.name.endswith(own + CONFIDENCE_ENDING):
        stem = path.name.removesuffix(own + CONFIDENCE_ENDING)
        return any(path.with_name(stem + suffix).exists() for suffix in SUFFIXES)
    return False


def _known() -> str:
    *most, last = sorted(SUFFIXES)
    return f"{', '.join(most)} or {last}"
