"""The window of one picture: open, see it in colour, save it; and folders, in one go."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from tintype.desktop import asking, chores
from tintype.desktop.bars import ToolBar
from tintype.desktop.chores import Coloured, Event, Failed, Opened, Run, Saved
from tintype.desktop.giving import Giving
from tintype.desktop.many import RunPanel
from tintype.desktop.pasting import copied_files, copied_picture, take_drops
from tintype.desktop.plate import Answer, Plate, Source
from tintype.desktop.spots import Spot
from tintype.desktop.stage import Stage
from tintype.desktop.style import apply_style
from tintype.desktop.worker import Worker
from tintype.engine import Colorizer, Options

if TYPE_CHECKING:
    import tkinter as tk

    Key = tk.Event[tk.Misc]

_POLL_MS = 20
_PATIENCE_S = 60.0  # for a file that is being written when the window is closed
_SHIFT = 1  # in the state of a key event
_SHARE = 0.85  # of the screen, at first
_SMALLEST = (760, 580)  # width, height: the disc of colours needs them
_IN_COLOUR = "This picture was in colour already; its colours are replaced. "


class PictureWindow:
    """The window; :meth:`run` shows it.

    Args:
        root: of ``screen.open_screen``.
        colorizer: the network.
        options: strength and variant at first, working size, mark and quality.
        device: as of ``Colorizer.load``, for runs over many pictures.
        log: is told of every error, for people who look for its cause.
    """

    def __init__(
        self,
        root: tk.Tk,
        colorizer: Colorizer,
        options: Options,
        device: str = "auto",
        log: Callable[[BaseException], None] = lambda _: None,
    ) -> None:
        self._root, self._colorizer, self._options = root, colorizer, options
        self._device, self._log = device, log
        self._side = options.working_size or colorizer.working_size
        self._strength = options.strength
        self._variant = options.variant if colorizer.has_variants else 0
        self._begun_s = 0.0
        self._wanting = self._telling = False  # colours; that they have come
        self._stop = threading.Event()
        self._running = self._leaving = False
        self._saving: tuple[Plate, tuple[Spot, ...]] | None = None
        self._joining: str | None = None
        self._looking: Worker[Event] = Worker("tintype-looking", self._failure)
        self._writing: Worker[Event] = Worker("tintype-writing", self._failure)
        self._build()
        self._bind()

    @property
    def plate(self) -> Plate | None:
        """The picture that is shown."""
        return self.stage.plate

    def run(self, first: Sequence[Path] = ()) -> None:
        """Show the window until it is closed.

        Args:
            first: what is opened at once.
        """
        self._root.deiconify()
        self._root.update_idletasks()
        self.stage.canvas.focus_set()
        if first:
            self.open(first)
        self._writing.order(chores.warm())
        self._poll()
        try:
            self._root.mainloop()
        finally:
            self._root.withdraw()
            self._stop.set()
            self._looking.close(0)
            self._writing.close(_PATIENCE_S, finish=True)

    def _build(self) -> None:
        root = self._root
        root.title("Tintype")
        self._drawn = apply_style(root)
        asking.hide_hidden_files(root)
        screen = root.winfo_screenwidth(), root.winfo_screenheight()
        width, height = (
            max(least, int(_SHARE * whole)) for least, whole in zip(_SMALLEST, screen, strict=True)
        )
        root.geometry(f"{width}x{height}")
        root.minsize(*_SMALLEST)
        self.stage = Stage(root, self._ask_pictures)
        self.tools = ToolBar(
            root,
            open=self._ask_pictures,
            open_folder=self._ask_folder,
            strength=self._set_strength,
            variant=self._set_variant,
            also=self._variant,
            give=self._toggle_giving,
            save=self._ask_target,
        )
        self.tools.frame.pack(side="bottom", fill="x")
        self.stage.canvas.pack(fill="both", expand=True)
        self.tools.set_strength(self._strength)
        self._let()
        canvas = self.stage.canvas
        self.giving = Giving(self.stage, self._colour_anew)
        self.panel = RunPanel(canvas, self._stop.set, self._close_panel)
        drops = take_drops(canvas, self.open)
        self.stage.advice = "Click here, or paste one with {}V{}.".format(
            "⌘" if self._is_mac else "Ctrl+", ", or drop it here" if drops else ""
        )

    @property
    def _is_mac(self) -> bool:
        return str(self._root.tk.call("tk", "windowingsystem")) == "aqua"

    def _bind(self) -> None:
        root = self._root
        root.bind(f"<{'Command' if self._is_mac else 'Control'}-Key>", self._shortcut)
        root.bind("<Escape>", lambda _: self.giving.choose(None))
        root.protocol("WM_DELETE_WINDOW", self._leave)
        root.report_callback_exception = self._fail

    def _shortcut(self, event: Key) -> None:
        redo = bool(int(event.state) & _SHIFT)
        actions = {
            "o": self._ask_pictures,
            "v": self._paste,
            "s": self._ask_target,
            "z": self.giving.redo if redo else self.giving.undo,
            "y": self.giving.redo,
            "q": self._leave,
        }
        actions.get(event.keysym.lower(), lambda: None)()

    def _fail(self, _: type[BaseException], error: BaseException, __: TracebackType | None) -> None:
        """Tk would print what goes wrong in a callback."""
        if not isinstance(error, Exception):
            self._root.quit()
            return
        self._log(error)
        self.tools.say(chores.sentence_of(error), bad=True)

    def _failure(self, error: Exception) -> Event:
        self._log(error)
        return chores.failure_of(error)

    def open(self, paths: Sequence[Path]) -> None:
        """Open a picture; several, or a folder, are coloured into another folder."""
        if self._running or not paths:
            return
        if len(paths) > 1 or paths[0].is_dir():
            self._ask_where(paths)
        else:
            self._open(lambda: paths[0], paths[0].name)

    def _open(self, find: Callable[[], Source | None], name: str) -> None:
        if not self._may_lose():
            return
        self._begun_s = time.perf_counter()
        self.tools.say(f"Opening {name}…")
        job = chores.open_picture(find, self._colorizer, self._side, self._variant)
        self._looking.order(job, instead=True)

    def _may_lose(self) -> bool:
        plate = self.plate
        return plate is None or not plate.unsaved or asking.losing(self._root, plate.name)

    def _leave(self) -> None:
        """Close the window when what is being written is finished; asked twice, at once."""
        if self._leaving:
            self._root.quit()
        elif self._may_lose():
            self._leaving = True
            self._stop.set()
            self.tools.say("Closing when everything is written…")

    def _paste(self) -> None:
        if self._running:
            return
        found = copied_files(self._root)
        if found:
            self.open(found)
        elif not self._root.tk.call("selection", "own", "-selection", "CLIPBOARD"):
            # Asking by another program would wait for this one's own answer.
            self._open(copied_picture, "what was copied")

    def _ask_pictures(self) -> None:
        if not self._running:
            self.open(asking.pictures(self._root))

    def _ask_folder(self) -> None:
        source = None if self._running else asking.folder(self._root, "A folder of pictures")
        if source is not None:
            self._ask_where([source])

    def _ask_where(self, paths: Sequence[Path]) -> None:
        first = paths[0]
        own = first if first.is_dir() else first.parent
        target = asking.folder(self._root, "Where the results go", own)
        if target is None:
            return
        self._stop.clear()
        self._running = True
        self._let()
        self.panel.begin(target.name or str(target))
        self.panel.frame.place(relx=0.5, rely=0.5, anchor="center")
        self.tools.say("Looking for pictures…")
        options = replace(self._options, strength=self._strength)
        job = chores.colour_many(paths, target, options, self._device, self._stop)
        self._writing.order(job)

    def _ask_target(self) -> None:
        plate = self.plate
        if plate is None or plate.answer is None or self._running:
            return
        source = plate.picture.source
        begin = source.parent if isinstance(source, Path) else Path.home()
        target = asking.target(self._root, begin / chores.suggested(source))
        if target is not None:
            self.tools.say(f"Saving {target.name} in full resolution…")
            options = plate.options(self._options)
            self._saving = plate, plate.spots.now
            self._writing.order(chores.save(source, target, options, self._colorizer))

    def _colour_anew(self, *, telling: bool = True) -> None:
        """Ask the network again, for other colours are given.

        Args:
            telling: whether the status line says so.
        """
        plate = self.plate
        if plate is None:
            return
        self._begun_s, self._wanting, self._telling = time.perf_counter(), True, telling
        if telling:
            self.tools.say("Colouring…")
        job = chores.colour(plate, plate.hints, self._colorizer, self._side, plate.variant)
        self._looking.order(job, instead=True)

    def _poll(self) -> None:
        self._root.after(_POLL_MS, self._poll)  # first, for an error must not end it
        for worker in (self._looking, self._writing):
            for event in worker.take():
                self._hear(event)
        if self._leaving and not self._writing.busy:
            self._root.quit()

    def _hear(self, event: Event) -> None:
        match event:
            case Opened(plate):
                self._show(plate)
            case Coloured(plate, answer) if plate is self.plate:
                self._show_colours(plate, answer)
            case Saved(target, notes, seconds):
                if self._saving is not None:
                    self._saving[0].saved = self._saving[1]
                told = " ".join((f"Saved {target.name} in {seconds:.1f} s.", *notes))
                self.tools.say(told)
            case Run():
                self._show_run(event)
            case Failed(step, sentence):
                self._hear_failure(step, sentence)

    def _show(self, plate: Plate) -> None:
        plate.strength = self._strength
        self.tools.variants.show(plate.variant)
        self._close_panel()
        self.giving.choose(None)
        self.stage.show(plate)
        self._root.title(f"{plate.name} – Tintype")
        self._wanting = self._telling = True
        self.tools.say(f"Colouring {plate.name}…")
        self._let()

    def _show_colours(self, plate: Plate, answer: Answer) -> None:
        plate.answer = answer
        self._wanting = False
        self.stage.rejoin()
        self._let()
        if self._telling:
            before = _IN_COLOUR if answer.tone == "colour" else ""
            took_s = time.perf_counter() - self._begun_s
            self.tools.say(f"{before}Coloured in {took_s:.1f} s.")

    def _show_run(self, run: Run) -> None:
        self.panel.show(run)
        if run.ended:
            self._running = False
            self._let()
            self.tools.say(str(run), bad=bool(run.counts["failed"]))
        else:
            self.tools.say(f"Colouring {run.total} pictures…")

    def _hear_failure(self, step: chores.Step, sentence: str) -> None:
        self._leaving = False  # or nobody would read it
        if step == "many":
            self._running = False
            self.panel.end(sentence)
            self._close_panel()
        elif step == "open" and self._wanting:
            self._colour_anew(telling=False)  # opening another one had taken its place
        self._let()
        self.tools.say(sentence, bad=True)

    def _let(self) -> None:
        """Allow what makes sense now."""
        plate = self.plate
        self.tools.let(
            guided=self._colorizer.guided,
            leans=self._colorizer.has_variants,
            loaded=plate is not None,
            coloured=plate is not None and plate.answer is not None,
            running=self._running,
        )

    def _close_panel(self) -> None:
        if not self._running:
            self.panel.frame.place_forget()
            self.stage.canvas.focus_set()

    def _set_strength(self, strength: float) -> None:
        self._strength = strength
        if self.plate is not None:
            self.plate.strength = strength
        if self._joining is None:  # of several moves of the slider the last one counts
            self._joining = self._root.after_idle(self._rejoin)

    def _set_variant(self, variant: int) -> None:
        if self.plate is not None:
            self.plate.variant = variant
            self._colour_anew()

    def _rejoin(self) -> None:
        self._joining = None
        self.stage.rejoin()

    def _toggle_giving(self) -> None:
        self.tools.press_give(self.giving.toggle())
