"""`pipeline("zero-shot-action-classification", model=...)`: which of the given labels fits each person best."""

from typing import Any

from motionhub.pipelines.skeleton_pipeline import best_scores, check_whole, take, take_input_parameters
from motionhub.pipelines.video_scores import fused_with_video, scores_of_video
from motionhub.pipelines.zero_shot import Candidates, ZeroShotPipeline, required, take_windowing


NONE = "none of these"


class ZeroShotActionClassificationPipeline(ZeroShotPipeline):
    """Names what every person does, by labels given in the call. Inputs and common arguments: see `SkeletonPipeline`.

    Args of a call (or of `pipeline(...)`, as defaults):
        candidate_labels: a list of labels, a string with commas between them, or a mapping from each label to further
            phrasings of it, which are averaged.
        hypothesis_template: a sentence with "{}" for the label, or several, which are averaged. Default "{}".
        descriptions: label -> what the parts of the body do ("the left arm rises sideways"), drawn into its vector.
        neighbours: draws each label towards so many nearest phrases of the checkpoint's bank. Default 0.
        multi_label: True: each label is scored for itself (several may be true); False: one of them is.
        none_label: what "none of the labels" is called; None leaves it out. A checkpoint without a fitted
            `rejection_threshold` has no such answer.
        top_k: how many entries, best first; None (default) for all.
        window: seconds that the model sees at once, default the checkpoint's. A clip longer than 1.6 windows is
            seen in windows, and its similarities are averaged.
        video_scores: probabilities of a video-text model such as ViCLIP for the same labels in their order, fused with
            those of the motion as `models.t_mor.fuse_scores` says; `video_weight` (default 0.5) is the video's.
        video_tower: of an input that is a video, the model that makes them (see `pipelines.video_scores`).

    Returns:
        For each input a list with one dict per detected person: `track_id`, `scores`, a list of `{"label", "score"}`
        (probabilities, best first), and `coverage`, the share of the model's joints that were seen.

    Example:
        >>> pipe = pipeline("zero-shot-action-classification", model="motionhub/tmor-small")
        >>> pipe("clip.json", candidate_labels=["sit down", "wave the left hand", "fall down"])
        [{'track_id': 0, 'scores': [{'label': 'sit down', 'score': 0.93}, ...], 'coverage': 1.0}]
    """

    def _sanitize_parameters(self, **kwargs: Any) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
        names = ("top_k", "multi_label", "none_label", "video_scores", "video_tower", "video_weight")
        postprocess = take(kwargs, *names)
        check_whole(top_k=postprocess.get("top_k"))
        windowing = take_windowing(kwargs, "window")
        postprocess |= self.take_candidates(kwargs)
        return {**windowing, **take_input_parameters(kwargs)}, {}, postprocess

    def postprocess(
        self,
        model_outputs: Any,
        candidates: Candidates | None = None,
        multi_label: bool = False,
        none_label: str | None = NONE,
        top_k: int | None = None,
        video_scores: Any = None,
        video_tower: Any = None,
        video_weight: float = 0.5,
    ) -> list[dict[str, Any]]:
        chosen = required(candidates)
        clip, outputs = model_outputs
        video_scores = scores_of_video(clip.name, chosen.labels, video_scores, video_tower)
        found = []
        for row in dict.fromkeys(clip.rows):
            own = [index for index, whose in enumerate(clip.rows) if whose == row]
            similarity = self.similarities(outputs["embeds"][own], chosen).mean(0, keepdim=True)
            scores = self.probabilities(similarity, multi_label, none_label is not None and video_scores is None)
            if video_scores is not None:
                scores = fused_with_video(scores, video_scores, video_weight)
            labels = [*chosen.labels, str(none_label)]
            best = best_scores(labels, scores[0].numpy(), top_k)
            found.append({"track_id": clip.track_id(row), "scores": best, "coverage": clip.coverage(*own)})
        return found
