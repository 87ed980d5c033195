"""Our models with other tools: Trainer of transformers, pipelines, LoRA by PEFT, gradient checkpointing."""

import pytest
import torch
from transformers import Trainer, TrainingArguments, pipeline

import motionhub
from motionhub.models.agcn import AgcnConfig, AgcnForActionClassification


NAMES = {0: "wave", 1: "squat"}


@pytest.fixture(scope="module")
def processor():
    return motionhub.SkeletonProcessor(layout="coco-17", num_dims=3, num_frames=8, normalization="centre")


@pytest.fixture(scope="module")
def clips(processor):
    rows = motionhub.generate_dataset(num_clips=8, seed=0, actions=list(NAMES.values()), layout="coco-17")
    return motionhub.ClipDataset(rows, processor, training=False)


def small(family="unik"):
    torch.manual_seed(0)
    config = {"in_channels": 3, "channels": [8, 16], "strides": [1, 2], "id2label": NAMES, "layout": "coco-17"}
    if family == "unik":
        return motionhub.UnikForActionClassification(motionhub.UnikConfig(**config))
    return AgcnForActionClassification(AgcnConfig(**config, num_joints=17))


def lively(model):
    """The norms of the spatial layers begin near 0, so that their values hardly count; here at 1."""
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if name.endswith("norm.weight"):
                weight.fill_(1.0)
    return model


def fit(model, clips, folder, epochs=4):
    arguments = TrainingArguments(
        str(folder), num_train_epochs=epochs, per_device_train_batch_size=4, learning_rate=0.01, use_cpu=True, seed=0,
        remove_unused_columns=False, report_to=[], disable_tqdm=True, logging_strategy="no", save_strategy="no",
    )  # fmt: skip
    trainer = Trainer(
        model, arguments, train_dataset=clips, eval_dataset=clips, data_collator=motionhub.collate_skeletons
    )
    before = trainer.evaluate()["eval_loss"]
    trainer.train()
    return before, trainer.evaluate()["eval_loss"], trainer


def test_the_trainer_of_transformers_fits_and_saves_what_a_pipeline_loads(clips, processor, tmp_path):
    before, after, trainer = fit(small(), clips, tmp_path)
    assert trainer.state.global_step == 8 and after < before
    trainer.save_model(tmp_path / "saved")
    processor.save_pretrained(tmp_path / "saved")
    classify = pipeline("action-classification", model=str(tmp_path / "saved"))
    (person,) = classify(motionhub.generate("squat", seed=0))
    assert {answer["label"] for answer in person["scores"]} == set(NAMES.values())


@pytest.mark.parametrize("family", ["unik", "agcn"])
def test_lora_changes_the_values_and_is_the_same_when_merged(family, clips, tmp_path):
    peft = pytest.importorskip("peft")
    model, batch = lively(small(family)).eval(), motionhub.collate_skeletons([clips[0], clips[1]])
    plain = model(**batch).logits.detach()
    adapted = peft.get_peft_model(
        model, peft.LoraConfig(r=2, target_modules=["value"], init_lora_weights=False)
    ).eval()
    found = adapted(**batch)
    found.loss.backward()
    learned = [weight for name, weight in adapted.named_parameters() if "lora_" in name]
    assert learned and all(weight.grad is not None and weight.grad.abs().sum() > 0 for weight in learned)
    assert not torch.allclose(found.logits, plain)
    with adapted.disable_adapter():
        torch.testing.assert_close(adapted(**batch).logits, plain)
    merged = adapted.merge_and_unload()
    torch.testing.assert_close(merged(**batch).logits, found.logits, rtol=1e-4, atol=1e-5)


def test_lora_with_a_new_head_changes_few_weights_and_loads_again(clips, tmp_path):
    peft = pytest.importorskip("peft")
    lora = peft.LoraConfig(r=2, target_modules=["query", "key", "value", "shortcut"], modules_to_save=["classifier"])
    adapted = peft.get_peft_model(small(), lora)
    trained, total = adapted.get_nb_trainable_parameters()
    assert 0 < trained < total / 4
    before = {name: weight.clone() for name, weight in adapted.named_parameters()}
    fit(adapted, clips, tmp_path, epochs=2)
    changed = {name for name, weight in adapted.named_parameters() if not torch.equal(weight, before[name])}
    assert changed == {name for name, weight in adapted.named_parameters() if weight.requires_grad}
    adapted.save_pretrained(tmp_path / "lora")
    batch = motionhub.collate_skeletons([clips[0], clips[1]])
    again = peft.PeftModel.from_pretrained(small(), tmp_path / "lora").eval()
    # batch-norm statistics are no weights: they are those of the base model
    again.base_model.load_state_dict(
        {name: value for name, value in adapted.base_model.state_dict().items() if "running" in name}, strict=False
    )
    torch.testing.assert_close(again(**batch).logits, adapted.eval()(**batch).logits)


@pytest.mark.parametrize("family", ["unik", "agcn"])
def test_gradient_checkpointing_gives_the_same_gradients(family, clips):
    batch = motionhub.collate_skeletons([clips[number] for number in range(4)])
    plain, saving = small(family).train(), small(family).train()
    saving.gradient_checkpointing_enable()
    for model in (plain, saving):
        model(**batch).loss.backward()
    for (name, ours), theirs in zip(plain.named_parameters(), saving.parameters(), strict=True):
        torch.testing.assert_close(ours.grad, theirs.grad, rtol=1e-4, atol=1e-6, msg=name)
