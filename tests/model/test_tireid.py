from __future__ import annotations

from collections.abc import Callable
from math import exp
from typing import Any

import pytest
import torch
from torch.nn import functional as F

from tests.model.conftest import CAPTIONS, PERSON_IDS, Batch
from tests.oracles import gaussian as gaussian_oracle
from tests.oracles import losses as oracle
from tireid.data.masking import MaskedTokens, eot_positions, masking_noise, real_token_mask
from tireid.losses import CircleLoss, bidirectional_circle_loss, recovery_loss
from tireid.model import TIReID, TIReIDOutput
from tireid.options import Config

Make = Callable[..., TIReID]


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def run(model: TIReID, batch: Batch, **options: Any) -> TIReIDOutput:
    output: TIReIDOutput = model(*batch, **({"generator": rng()} | options))
    return output


def masked_by_hand(batch: Batch, model: TIReID) -> MaskedTokens:
    """The second and fourth token of every caption are hidden."""
    ids, labels = batch[1].clone(), torch.full_like(batch[1], -100)
    for position in (2, 4):
        labels[:, position] = ids[:, position]
        ids[:, position] = model.tokenizer.mask_id
    return MaskedTokens(ids, labels)


PRESET_TERMS = {
    "paper": {"align", "mlm", "recovery"},
    "paper-strong": {"align", "mlm", "recovery", "identity"},
    "irra": {"align", "mlm", "identity"},
    "clip": {"align"},
    "tal": {"align"},
}


@pytest.mark.parametrize("preset", PRESET_TERMS)
def test_presets_train_every_parameter(preset: str, make: Make, batch: Batch) -> None:
    model = make(preset=preset)
    output = run(model, batch)
    output.loss.backward()
    assert output.losses.keys() == PRESET_TERMS[preset]
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert torch.isfinite(parameter.grad).all(), name
    torch.optim.SGD(model.parameters(), lr=1e-4).step()
    assert run(model, batch).loss < output.loss


def test_the_loss_is_the_weighted_sum_of_its_terms(make: Make, batch: Batch) -> None:
    output = run(make("loss.align=0.5", "loss.mlm=2", "loss.recovery=3", "loss.identity=0.25"), batch)
    terms = output.losses
    expected = 0.5 * terms["align"] + 2 * terms["mlm"] + 3 * terms["recovery"] + 0.25 * terms["identity"]
    torch.testing.assert_close(output.loss, expected)


@pytest.mark.parametrize("alignment", ["circle", "sdm", "infonce", "cmpm", "tal"])
def test_alignment_in_eval_mode_is_on_the_means(alignment: str, make: Make, batch: Batch) -> None:
    temperature = () if alignment in ("circle", "cmpm") else ("loss.temperature=0.1",)
    model = make(f"loss.alignment={alignment}", *temperature).eval()
    value = run(model, batch).losses["align"].item()
    v, t = (f.pooled.tolist() for f in (model.backbone.encode_image(batch[0]), model.backbone.encode_text(batch[1])))
    ids = PERSON_IDS.tolist()
    cosines = [[oracle.dot(oracle.unit(a), oracle.unit(b)) for b in t] for a in v]
    same = [[a == b for b in ids] for a in ids]
    expected = {
        "circle": lambda: (
            oracle.circle(cosines, same, 0.25, 16) + oracle.circle(oracle.transpose(cosines), same, 0.25, 16)
        ),
        "sdm": lambda: oracle.sdm(v, t, ids, 0.1),
        "infonce": lambda: oracle.infonce(v, t, 0.1),
        "cmpm": lambda: oracle.cmpm(v, t, ids),
        "tal": lambda: oracle.tal(v, t, ids, 0.4, 0.1),
    }[alignment]()
    assert value == pytest.approx(expected, rel=1e-4)


def test_alignment_in_training_is_the_mean_over_samples_and_with_both_over_the_means_too(
    make: Make, batch: Batch
) -> None:
    outputs = {
        align: run(make("uncertainty.samples=3", f"uncertainty.align={align}"), batch) for align in ("samples", "both")
    }
    same = [[a == b for b in PERSON_IDS.tolist()] for a in PERSON_IDS.tolist()]

    def circle(image: torch.Tensor, text: torch.Tensor) -> float:
        s = (F.normalize(image, dim=1) @ F.normalize(text, dim=1).T).tolist()
        return oracle.circle(s, same, 0.25, 16) + oracle.circle(oracle.transpose(s), same, 0.25, 16)

    image, text = outputs["samples"].image, outputs["samples"].text
    sampled = sum(circle(image.samples[s], text.samples[s]) for s in range(3)) / 3
    assert image.samples.shape == (3, 6, 128)
    assert outputs["samples"].losses["align"].item() == pytest.approx(sampled, rel=1e-4)
    both = (sampled + circle(image.mean, text.mean)) / 2
    assert outputs["both"].losses["align"].item() == pytest.approx(both, rel=1e-4)
    assert abs(sampled - both) > 1e-4


def test_variances_are_those_of_the_features(make: Make, batch: Batch) -> None:
    model = make("uncertainty.lam=0.3", "uncertainty.unbiased=true")
    output = run(model, batch)
    features = model.backbone.encode_text(batch[1]).pooled
    expected = gaussian_oracle.uncertainty(features.tolist(), PERSON_IDS.tolist(), "convex", 0.3, True)
    torch.testing.assert_close(output.text.mean, features)
    torch.testing.assert_close(output.text.variance, torch.tensor(expected), rtol=1e-4, atol=1e-6)


def test_positives_may_be_the_pair_only(make: Make, batch: Batch) -> None:
    model = make("loss.positives=pair").eval()
    output = run(model, batch)
    s = output.image.normalized_mean @ output.text.normalized_mean.T
    expected = 0.0
    for matrix in (s, s.T):
        for i in range(6):
            keep = [j for j in range(6) if j == i or PERSON_IDS[j] != PERSON_IDS[i]]
            expected += oracle.circle([matrix[i, keep].tolist()], [[j == i for j in keep]], 0.25, 16) / 6
    assert output.losses["align"].item() == pytest.approx(expected, rel=1e-4)


def test_mlm_equals_loops_over_the_hidden_tokens(make: Make, batch: Batch) -> None:
    model = make().eval()
    masked = masked_by_hand(batch, model)
    output = run(model, batch, masked=masked)
    scores, labels = [], []
    for i, caption in enumerate(CAPTIONS):  # one caption at a time, no padding at all
        ids = model.tokenizer([caption], trim=True)
        hidden = ids.clone()
        hidden[0, [2, 4]] = model.tokenizer.mask_id
        text = model.backbone.encode_text(hidden).tokens
        image = model.backbone.encode_image(batch[0][i : i + 1]).tokens
        fused = model.interact(text, image)
        for position in (2, 4):
            assert model.mlm_head is not None
            scores.append(model.mlm_head(fused[0, position]).tolist())
            labels.append(int(ids[0, position]))
    assert output.losses["mlm"].item() == pytest.approx(oracle.cross_entropy(scores, labels), rel=1e-4)


def test_the_mask_itself_is_never_predicted(make: Make) -> None:
    model = make()
    assert model.mlm_head is not None
    assert model.mlm_head.fc.out_features == model.tokenizer.mask_id == model.tokenizer.vocab_size - 1


def test_identity_loss_is_on_means_that_are_not_normalised(make: Make, batch: Batch) -> None:
    model = make()
    output = run(model, batch)
    assert model.classifier is not None
    image, text = (model.classifier(g.mean).tolist() for g in (output.image, output.text))
    labels = PERSON_IDS.tolist()
    expected = (oracle.cross_entropy(image, labels) + oracle.cross_entropy(text, labels)) / 2
    assert output.losses["identity"].item() == pytest.approx(expected, rel=1e-4)


def test_align_masked_shows_the_masked_captions_to_alignment_and_identity(make: Make, batch: Batch) -> None:
    model = make("loss.align_masked=true", "uncertainty.enabled=false")
    masked = masked_by_hand(batch, model)
    output = run(model, batch, masked=masked)
    torch.testing.assert_close(output.text.mean, model.backbone.encode_text(masked.input_ids).pooled)
    plain = run(make("uncertainty.enabled=false"), batch, masked=masked)
    torch.testing.assert_close(plain.text.mean, model.backbone.encode_text(batch[1]).pooled)
    torch.testing.assert_close(output.losses["recovery"], plain.losses["recovery"])  # its target stays the clean text


def test_without_uncertainty_nothing_is_sampled(make: Make, batch: Batch) -> None:
    output = run(make("uncertainty.enabled=false"), batch)
    assert (output.image.variance == 0).all()
    torch.testing.assert_close(output.image.samples[0], output.image.normalized_mean)


def test_eval_is_deterministic_and_training_follows_the_generator(make: Make, batch: Batch) -> None:
    model = make()
    assert run(model, batch).loss == run(model, batch).loss
    assert run(model, batch).loss != run(model, batch, generator=rng(1)).loss
    model.eval()
    first, second = model(*batch), model(*batch)
    assert first.loss == second.loss
    assert "identity" not in first.losses


def test_probability_decides_whether_a_batch_is_perturbed(make: Make, batch: Batch) -> None:
    model = make("uncertainty.probability=0.5")
    cosines = [run(model, batch, generator=rng(seed)).diagnostics["cos_text_sample_mean"].item() for seed in range(12)]
    perturbed = [cosine < 0.9999 for cosine in cosines]
    assert any(perturbed)
    assert not all(perturbed)


def test_alpha_and_gamma_warm_up(make: Make, batch: Batch) -> None:
    model = make("uncertainty.alpha_warmup=0.5", "loss.gamma_warmup=0.5")
    cosine = [run(model, batch, progress=p).diagnostics["cos_text_sample_mean"].item() for p in (0.0, 0.25, 0.5, 1.0)]
    assert cosine[0] == pytest.approx(1, abs=1e-6)
    assert cosine[0] > cosine[1] > cosine[2] == cosine[3]
    assert isinstance(model.config.loss, CircleLoss)
    assert [model.config.loss.gamma_at(p) for p in (0.0, 0.25, 0.5, 1.0)] == [4.0, 10.0, 16.0, 16.0]


def test_diagnostics_equal_loops(make: Make, batch: Batch) -> None:
    output = run(make(), batch)
    z, u, ids = output.image.samples[0].detach(), output.text.samples[0].detach(), PERSON_IDS.tolist()
    image_mean, text_mean = output.image.normalized_mean.detach(), output.text.normalized_mean.detach()
    pairs = [(i, j) for i in range(6) for j in range(6)]
    positive = [float(z[i] @ u[j]) for i, j in pairs if ids[i] == ids[j]]
    negative = [float(z[i] @ u[j]) for i, j in pairs if ids[i] != ids[j]]
    cosine, same = z @ u.T, [[a == b for b in ids] for a in ids]
    anchors = [*zip(cosine.tolist(), same, strict=True), *zip(cosine.T.tolist(), same, strict=True)]
    expected = {  # softplus has the slope 1 - exp(-softplus)
        "cos_image_sample_mean": sum(float(z[i] @ image_mean[i]) for i in range(6)) / 6,
        "cos_text_sample_mean": sum(float(u[i] @ text_mean[i]) for i in range(6)) / 6,
        "positive_similarity": sum(positive) / len(positive),
        "negative_similarity": sum(negative) / len(negative),
        "weight_positive": sum(max(0, 1.25 - s) for s in positive) / len(positive),
        "weight_negative": sum(max(0, s + 0.25) for s in negative) / len(negative),
        "pull": sum(1 - exp(-oracle.circle([row], [mask], 0.25, 16.0)) for row, mask in anchors) / 12,
        "std_image": output.image.variance.sqrt().mean().item(),
        "std_text": output.text.variance.sqrt().mean().item(),
    }
    assert {name: value.item() for name, value in output.diagnostics.items()} == pytest.approx(expected, abs=1e-5)
    assert not any(value.requires_grad or value.ndim for value in output.diagnostics.values())


def test_bfloat16_autocast_keeps_losses_in_float32(make: Make, batch: Batch) -> None:
    model = make()
    with torch.autocast("cpu", torch.bfloat16):
        output = run(model, batch)
    output.loss.backward()
    assert {value.dtype for value in output.losses.values()} == {torch.float32}
    assert output.loss.item() == pytest.approx(run(model, batch).loss.item(), rel=0.02)


def test_gradients_by_finite_differences_through_the_whole_objective(make: Make, batch: Batch) -> None:
    # The self-paced weights are constants to the gradient but not to a difference quotient, hence SDM here.
    model = make(
        "loss.alignment=sdm", "loss.temperature=0.5", "recovery.temperature=0.5", "recovery.target=image"
    ).double()
    pixels = batch[0].double()
    masked = masked_by_hand(batch, model)
    words = model.backbone.text_model.embeddings.token_embedding.weight  # the image target carries no gradient to it
    (gradient,) = torch.autograd.grad(model(pixels, *batch[1:], masked=masked, generator=rng()).loss, words)
    step = 1e-6
    for row, column in ((model.tokenizer.mask_id, 3), (int(batch[1][2, 1]), 100), (model.tokenizer.eos_id, 7)):
        values = []
        for sign in (1, -1):
            words.data[row, column] += sign * step
            values.append(model(pixels, *batch[1:], masked=masked, generator=rng()).loss.item())
            words.data[row, column] -= sign * step
        numeric = (values[0] - values[1]) / (2 * step)
        assert gradient[row, column].item() == pytest.approx(numeric, rel=1e-4, abs=1e-7)


def test_errors_name_the_argument(make: Make, batch: Batch) -> None:
    model = make()
    pixels, ids, people = batch
    with pytest.raises(ValueError, match="same length, got 6, 6 and 5"):
        model(pixels, ids, people[:5])
    with pytest.raises(ValueError, match=r"masked must have the shape of input_ids \(6, 40\)"):
        model(*batch, masked=MaskedTokens(ids[:3], ids[:3]))
    with pytest.raises(ValueError, match="progress"):
        model(*batch, progress=2.0)
    with pytest.raises(ValueError, match="input_ids must be int64"):
        model(pixels, ids.float(), people)
    with pytest.raises(ValueError, match=r"labels must lie in 0\.\.3"):
        model(pixels, ids, people + 9)
    with pytest.raises(ValueError, match="num_identities"):
        make(people=None)(*batch)
    with pytest.raises(ValueError, match="no interaction encoder"):
        make(preset="clip").interact(torch.zeros(1, 2, 128), torch.zeros(1, 2, 128))
    with pytest.raises(ValueError, match=r"config.image says \(48, 16\)"):
        TIReID(model.backbone, model.tokenizer, model.config.override(["image.height=48"]))


def test_build_untrained() -> None:
    config = Config.preset("paper", backbone="tiny-untrained")
    model = TIReID.build(config, train_captions=CAPTIONS)
    assert model.backbone.image_size == (96, 32)
    with pytest.raises(ValueError, match="train_captions"):
        TIReID.build(config)


def plain_step(model: TIReID, batch: Batch, masked: MaskedTokens) -> dict[str, torch.Tensor]:
    """The terms of the preset `paper-strong` with a pass for every input, whole rows and the chosen tokens by index."""
    pixels, ids, people = batch
    encode, real = model.backbone.encode_text, real_token_mask(ids, model.tokenizer.eos_id)
    image, clean, hidden = model.backbone.encode_image(pixels), encode(ids), encode(masked.input_ids)
    fused = model.interact(hidden.tokens, image.tokens, real)
    ends = fused[torch.arange(len(ids)), eot_positions(ids, model.tokenizer.eos_id)]
    assert model.mlm_head is not None
    assert model.recovery_head is not None
    assert model.classifier is not None
    same = people[:, None] == people[None, :]
    options = model.config.loss
    assert isinstance(options, CircleLoss)
    cosine = F.normalize(image.pooled, dim=1) @ F.normalize(clean.pooled, dim=1).T
    return {
        "align": bidirectional_circle_loss(cosine, same, options.margin, options.gamma),
        "mlm": F.cross_entropy(model.mlm_head(fused[masked.chosen]), masked.labels[masked.chosen]),
        "recovery": recovery_loss(model.recovery_head(ends), clean.pooled, people),
        "identity": sum(F.cross_entropy(model.classifier(x.pooled), people) for x in (image, clean)) / 2,
    }


@pytest.mark.parametrize("unit", ["token", "content"])
def test_a_step_has_the_gradients_of_the_plain_step(unit: str, make: Make, batch: Batch) -> None:
    model = make("uncertainty.enabled=false", f"masking.unit={unit}")
    output = run(model, batch)
    output.loss.backward()
    found = [parameter.grad.clone() for parameter in model.parameters()]
    noise = masking_noise(6, 40, torch.device("cpu"), rng())
    options = model.config.masking
    shares = {"mask_share": options.mask_share, "random_share": options.random_share, "up_to": options.up_to}
    masked = model.tokenizer.mask(batch[1], options.probability, generator=noise, unit=unit, **shares)
    expected = plain_step(model, batch, masked)
    for name, value in expected.items():
        torch.testing.assert_close(output.losses[name], value, rtol=1e-5, atol=1e-5)
    model.zero_grad()
    torch.stack(list(expected.values())).sum().backward()
    for (name, parameter), gradient in zip(model.named_parameters(), found, strict=True):
        torch.testing.assert_close(gradient, parameter.grad, rtol=1e-3, atol=1e-5, msg=name)


def test_trimmed_captions_give_the_same_losses(make: Make, batch: Batch) -> None:
    model = make()
    pixels, ids, people = batch
    longest = int(eot_positions(ids, model.tokenizer.eos_id).max()) + 1
    assert longest < ids.shape[1]
    for name, value in run(model, batch).losses.items():
        trimmed = run(model, (pixels, ids[:, :longest], people)).losses[name]
        torch.testing.assert_close(trimmed, value, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("preset", PRESET_TERMS)
def test_the_whole_objective_compiles_to_one_graph(preset: str, make: Make, batch: Batch) -> None:
    model = make(preset=preset)

    def terms(*inputs: torch.Tensor) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        output = model(*inputs)
        return output.loss, output.losses

    torch.compiler.reset()
    torch.manual_seed(5)
    loss, losses = torch.compile(terms, fullgraph=True, backend="eager")(*batch)
    torch.manual_seed(5)
    expected = model(*batch)
    assert losses.keys() == PRESET_TERMS[preset]
    torch.testing.assert_close(loss, expected.loss)


def test_irra_reads_padding_in_the_interaction(make: Make, batch: Batch) -> None:
    """As in its code: the scores of hidden words depend on how many pads follow; with a mask they do not."""
    pixels, ids, people = batch
    losses = {}
    for reads in (True, False):
        model = make(f"interaction.attend_padding={reads}".lower(), preset="irra").eval()
        masked = model.tokenizer.mask(ids, generator=torch.Generator().manual_seed(0))
        short = MaskedTokens(masked.input_ids[:, :30], masked.labels[:, :30])
        losses[reads] = [
            model(pixels, ids, people, masked=masked).losses["mlm"],
            model(pixels, ids[:, :30], people, masked=short).losses["mlm"],
        ]
    torch.testing.assert_close(*losses[False], rtol=1e-5, atol=1e-6)
    assert abs(losses[True][0] - losses[True][1]) > 1e-4
    assert make(preset="irra").config.interaction.attend_padding
