"""The branches for graphs, whose shapes must not depend on data, against the model as it runs otherwise."""

import numpy as np
import torch
from test_export_contract import inputs_of
from test_model_contract import each_skeleton_model, make


@each_skeleton_model
@torch.no_grad()
def test_every_model_answers_the_same_in_a_graph_whatever_is_padded_or_absent(family, model_class, monkeypatch):
    model = make(family, model_class)
    inputs = inputs_of(model.config, family.clip[1], batch=3)
    inputs["attention_mask"][1, :, 5:] = False  # shorter than what encoders of motion need
    expected = model(**inputs)
    monkeypatch.setattr(torch.compiler, "is_compiling", lambda: True)
    made = model(**inputs)
    compared = 0
    for name, value in expected.items():
        if isinstance(value, torch.Tensor):
            np.testing.assert_allclose(made[name].numpy(), value.numpy(), atol=1e-5, rtol=1e-4, err_msg=name)
            compared += 1
    assert compared
