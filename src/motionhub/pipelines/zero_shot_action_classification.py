"""`pipeline("zero-shot-action-classification", model=...)`: the action of each person, among given labels."""

from typing import Any

import numpy as np
import torch

from motionhub.models.t_mor import fuse_scores
from motionhub.pipelines.skeleton_pipeline import check_whole, take, take_input_parameters
from motionhub.pipelines.video_scores import scores_of_video
from motionhub.pipelines.zero_shot import (
    Candidates,
    ZeroShotPipeline,
    over_views,
    over_windows,
    required,
    take_views,
    take_windowing,
)
from motionhub.runtime.answers import best_scores
from motionhub.runtime.zero_shot import NONE


class ZeroShotActionClassificationPipeline(ZeroShotPipeline):
    """Classifies every person's action by labels given in the call. Inputs, common arguments: see `SkeletonPipeline`.

    Args of a call (or of `pipeline(...)`, as defaults):
        candidate_labels: a list of labels, a comma-separated string, or a mapping from each label to further
            phrasings, whose vectors are averaged.
        hypothesis_template: a sentence with "{}" for the label, or several, which are averaged. Default "{}".
        descriptions: label -> texts on body parts ("the left arm rises sideways"), mixed into its vector.
        neighbours: mixes in this many nearest phrases of the checkpoint's text bank. Default 0.
        multi_label: True: each label is scored independently; False: exactly one of them applies.
        none_label: name of the answer "none of the labels"; None omits it. It needs a checkpoint with a fitted
            `rejection_threshold`.
        top_k: number of entries, best first; None (default) for all.
        window: seconds per forward pass, default the checkpoint's. A clip longer than 1.6 windows is cut into
            windows; the soft maximum of their similarities counts, as an action may fill a part of a clip.
        views: degrees about the vertical from which a 2-D model sees a 3-D clip; the embeddings are averaged.
            Default (0, -35, 35); 0 is the recording's own camera.
        video_scores: probabilities of a video-text model such as ViCLIP for the same labels in their order, fused with
            those of the motion (`models.t_mor.fuse_scores`) at weight `video_weight` (default 0.5).
        video_tower: the model that computes them from an input that is a video (see `pipelines.video_scores`).

    Returns:
        For each input a list with one dict per detected person: `track_id`, `scores`, a list of `{"label", "score"}`
        (probabilities, best first), and `coverage`, the share of the model's joints that were detected.

    Example:
        >>> pipe = pipeline("zero-shot-action-classification", model="motionhub/tmor-small")
        >>> pipe("clip.json", candidate_labels=["sit down", "wave the left hand", "fall down"])
        [{'track_id': 0, 'scores': [{'label': 'sit down', 'score': 0.93}, ...], 'coverage': 1.0}]
    """

    def _sanitize_parameters(self, **kwargs: Any) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
        names = ("top_k", "multi_label", "none_label", "video_scores", "video_tower", "video_weight")
        postprocess = take(kwargs, *names)
        check_whole(top_k=postprocess.get("top_k"))
        windowing = take_windowing(kwargs, "window") | take_views(kwargs)
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
            embeds, _ = over_views(clip, row, outputs["embeds"][own])
            similarity = over_windows(self.similarities(embeds, chosen))[None]
            with_none = none_label is not None and video_scores is None
            scores = self.probabilities(similarity, chosen, multi_label, with_none)
            if video_scores is not None:
                video = torch.as_tensor(np.asarray(video_scores, np.float32)).reshape(1, -1)
                scores = fuse_scores(scores, video, video_weight)
            labels = [*chosen.labels, str(none_label)]
            best = best_scores(labels, scores[0].numpy(), top_k)
            found.append({"track_id": clip.track_id(row), "scores": best, "coverage": clip.coverage(*own)})
        return found
