"""The Gradio page (extra `app`): its parts, and which function of the desk each button calls."""

import importlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from motionhub.app.desk import Desk, Memory
from motionhub.app.recordings import FACTS, Facts, Progress
from motionhub.data.formats.format import FILE_UNITS
from motionhub.skeletons.layouts import LAYOUTS


FOLDER = Path(__file__).parent
EXAMPLE = "sit down, stand up, walk, wave, fall down"
_AS_STATED = "as the file says"
_INTRO = """<div class="mh-intro"><h1>Who does what, when</h1>
<p>Choose a recording, write what people may be doing, and get a bar over time, a table and files.</p></div>"""
# White on teal is read from this shade on.
_CONTRAST = {
    f"button_primary_background_fill{state}{mode}": f"*primary_{shade}"
    for mode in ("", "_dark")
    for state, shade in (("", 700), ("_hover", 800))
}
_REMOVED = "removed within an hour, and when the program ends"


def need_gradio() -> Any:
    """The package, or an ImportError with the line that installs it."""
    try:
        return importlib.import_module("gradio")
    except ImportError as error:
        raise ImportError(f'The page needs Gradio: pip install "motionhub[app]" ({error})') from error


class Page:
    """Builds the page.

    Args:
        desk: answers the buttons.
        given: recordings of the command line: shown name -> path.
        where: a sentence on where the files go.
    """

    def __init__(self, desk: Desk, given: Mapping[str, Path], where: str) -> None:
        self.gr, self.desk, self.given, self.where = need_gradio(), desk, dict(given), where
        self.waiting = self.gr.Progress()

    def build(self) -> Any:
        """The `gradio.Blocks`."""
        gr = self.gr
        with gr.Blocks(title="motionhub", analytics_enabled=False, delete_cache=(300, 3000)) as page:
            gr.HTML(_INTRO)
            memory = gr.State(None, time_to_live=3600)
            with gr.Tabs():
                with gr.Tab("Name actions"):
                    self._naming(memory)
                with gr.Tab("Search by text"):
                    self._search(memory)
                with gr.Tab("Compare two"):
                    self._compare(memory)
                with gr.Tab("Movement quality"):
                    self._quality(memory)
            gr.HTML(f'<p class="mh-where">{self.where} Files are {_REMOVED}. Nothing is sent to another server.</p>')

            def leave(request: Any) -> None:
                self.desk.forget(_visitor(request))

            page.unload(self._typed(leave))
        return page

    def _naming(self, memory: Any) -> None:
        gr = self.gr
        with gr.Row():
            with gr.Column(scale=2, min_width=300):
                file = gr.File(label=self._limit("Video or keypoint file"), elem_id="mh-file", height=160)
                with gr.Accordion("Record with the camera", open=False):
                    camera = self._camera()
                given = self._given("Or a recording of this machine")
                own = not self.desk.models.takes_labels
                labels = gr.Textbox(
                    ", ".join(self.desk.models.own_labels) if own else EXAMPLE,
                    label="Labels of the model" if own else "Labels: what people may be doing, with commas",
                    interactive=not own,
                    lines=2,
                    elem_id="mh-labels",
                )
                with gr.Accordion("More", open=False, visible=not own):
                    background = gr.Textbox("", label="Labels that give no interval, such as: stand still")
                    force = gr.Checkbox(False, label="Never answer “none of these”")
                facts = self._facts()
                button = gr.Button("Name actions", variant="primary", elem_id="mh-name")
            with gr.Column(scale=3, min_width=300):
                video = gr.Video(
                    label="Recording with skeletons",
                    show_label=False,
                    interactive=False,
                    elem_id="mh-video",
                    buttons=["download"],
                )
                answer = gr.HTML(elem_id="mh-answer")
                files = gr.File(
                    label="Files: table, subtitles, ELAN", file_count="multiple", interactive=False, height=150
                )

        def name(request: Any, progress: Any = self.waiting, *values: Any) -> Any:
            file, camera, given, labels, background, force, *stated, known = values
            known = known or Memory()
            chosen = file or camera or self._path_of(given)
            how: dict[str, Any] = {"background": background, "force": force, "progress": _progress_of(progress)}
            shown = self.desk.name(chosen, labels, _facts(stated), known, _visitor(request), **how)
            return shown.video, shown.html, list(shown.files) or None, known

        self._bind(button, name, [file, camera, given, labels, background, force, *facts, memory],
                   [video, answer, files, memory], "name_actions", labels)  # fmt: skip

    def _search(self, memory: Any) -> None:
        gr = self.gr
        with gr.Row():
            with gr.Column(scale=2, min_width=300):
                files = gr.File(
                    label=self._limit("Several recordings"), file_count="multiple", elem_id="mh-many", height=170
                )
                also = gr.Checkbox(
                    bool(self.given), label="Also the recordings of this machine", visible=bool(self.given)
                )
                text = gr.Textbox("", label="What is looked for", placeholder="someone sits down", elem_id="mh-text")
                facts = self._facts()
                button = gr.Button("Search", variant="primary", elem_id="mh-search")
            with gr.Column(scale=3, min_width=300):
                answer = gr.HTML(elem_id="mh-found")

        def search(request: Any, progress: Any = self.waiting, *values: Any) -> Any:
            files, also, text, *stated, known = values
            known = known or Memory()
            chosen = [*(files or ()), *(map(str, self.given.values()) if also else ())]
            reported: dict[str, Any] = {"progress": _progress_of(progress)}
            shown = self.desk.search(chosen, text, _facts(stated), known, _visitor(request), **reported)
            return shown.html, known

        self._bind(button, search, [files, also, text, *facts, memory], [answer, memory], "search", text)

    def _compare(self, memory: Any) -> None:
        gr = self.gr
        with gr.Row():
            with gr.Column(scale=2, min_width=300):
                first = gr.File(label=self._limit("First recording"), elem_id="mh-first", height=160)
                second = gr.File(label=self._limit("Second, compared with it"), elem_id="mh-second", height=160)
                facts = self._facts()
                button = gr.Button("Compare", variant="primary", elem_id="mh-compare")
            with gr.Column(scale=3, min_width=300):
                answer = gr.HTML(elem_id="mh-compared")
                files = gr.File(label="All differences", file_count="multiple", interactive=False, height=150)

        def compare(request: Any, progress: Any = self.waiting, *values: Any) -> Any:
            first, second, *stated, known = values
            known = known or Memory()
            shown = self.desk.compare(first, second, _facts(stated), known, _visitor(request), _progress_of(progress))
            return shown.html, list(shown.files) or None, known

        self._bind(button, compare, [first, second, *facts, memory], [answer, files, memory], "compare")

    def _quality(self, memory: Any) -> None:
        gr = self.gr
        with gr.Row():
            with gr.Column(scale=2, min_width=300):
                file = gr.File(label=self._limit("One repetition"), elem_id="mh-repetition", height=160)
                correct = gr.File(
                    label=self._limit("Three or more correct ones, to compare with"), file_count="multiple",
                    elem_id="mh-correct", height=170,
                )  # fmt: skip
                facts = self._facts()
                button = gr.Button("Judge the movement", variant="primary", elem_id="mh-judge")
            with gr.Column(scale=3, min_width=300):
                answer = gr.HTML(elem_id="mh-judged")

        def judge(progress: Any = self.waiting, *values: Any) -> Any:
            file, correct, *stated, known = values
            known = known or Memory()
            return self.desk.quality(file, correct, _facts(stated), known, _progress_of(progress)).html, known

        self._bind(button, judge, [file, correct, *facts, memory], [answer, memory], "movement_quality")

    def _typed(self, function: Any) -> Any:
        """The function, whose parameter `request` Gradio finds by its type."""
        if "request" in function.__annotations__:
            function.__annotations__["request"] = self.gr.Request
        return function

    def _facts(self) -> list[Any]:
        """Inputs of `Facts`, in the order in which `_facts` takes them."""
        gr = self.gr
        with gr.Accordion(FACTS, open=False):
            fps = gr.Number(None, label="Frames per second", minimum=0)
            layout = gr.Dropdown([_AS_STATED, *sorted(LAYOUTS)], value=_AS_STATED, label="Joint layout")
            unit = gr.Dropdown([_AS_STATED, *FILE_UNITS], value=_AS_STATED, label="Unit of the numbers")
            width = gr.Number(None, label="Image width, pixels", precision=0, minimum=0)
            height = gr.Number(None, label="Image height, pixels", precision=0, minimum=0)
            number = gr.Number(None, label="Of several clips, the number, from 0", precision=0, minimum=0)
        return [fps, layout, unit, width, height, number]

    def _given(self, label: str) -> Any:
        choices = ["", *self.given]
        return self.gr.Dropdown(choices, value="", label=label, visible=bool(self.given), elem_id="mh-given")

    def _camera(self) -> Any:
        """A camera, without sound; its recording is taken as it is: Gradio would mirror it, by ffmpeg."""
        unmirrored = self.gr.WebcamOptions(mirror=False)
        camera = self.gr.Video(
            sources=["webcam"], label="Camera", include_audio=False, webcam_options=unmirrored, elem_id="mh-camera"
        )
        camera.preprocess = lambda payload: None if payload is None else payload.path
        return camera

    def _path_of(self, name: str | None) -> str | None:
        return str(self.given[name]) if name in self.given else None

    def _limit(self, what: str) -> str:
        return f"{what}, up to {self.desk.limits.megabytes} MB"

    def _bind(
        self, button: Any, function: Any, inputs: Sequence[Any], outputs: Sequence[Any], name: str, entered: Any = None
    ) -> None:
        """Calls the function on a click, and on Enter in a text; computations of all visitors take turns."""
        function = self._typed(function)
        how: dict[str, Any] = {"concurrency_limit": 1, "concurrency_id": "compute", "show_progress_on": [outputs[0]]}
        button.click(function, inputs, outputs, api_name=name, **how)
        if entered is not None:
            entered.submit(function, inputs, outputs, api_visibility="private", **how)


def look() -> dict[str, Any]:
    """Arguments of `launch`: fonts of the machine, style and script of the page."""
    gr = need_gradio()
    fonts = {"font": ["system-ui", "sans-serif"], "font_mono": ["ui-monospace", "monospace"]}
    script = (FOLDER / "page.js").read_text(encoding="utf-8")
    return {
        "theme": gr.themes.Default(primary_hue="teal", **fonts).set(**_CONTRAST),
        "css": (FOLDER / "page.css").read_text(encoding="utf-8"),
        "head": f"<script>{script}</script>",
    }


def _facts(values: Sequence[Any]) -> Facts:
    fps, layout, unit, width, height, number = values
    size = (int(width), int(height)) if width and height else None
    stated = [None if value in (None, "", _AS_STATED) else value for value in (layout, unit)]
    return Facts(stated[0], fps or None, stated[1], size, None if number is None else int(number))


def _visitor(request: Any) -> str:
    return str(getattr(request, "session_hash", None) or "visitor")


def _progress_of(progress: Any) -> Progress:
    return lambda share, what: progress(min(max(share, 0.0), 1.0), desc=what)
