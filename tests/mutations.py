"""Wrong programs that one might well have written, and for each the test that notices."""

from __future__ import annotations

from typing import NamedTuple


class Mutation(NamedTuple):
    """`old`, which occurs once in `file`, becomes `new`; `test` then fails."""

    name: str
    file: str
    old: str
    new: str
    test: str


MUTATIONS = [
    Mutation(
        "negated similarity",
        "losses/common.py",
        "image, text = F.normalize(image, dim=1),",
        "image, text = -F.normalize(image, dim=1),",
        "model/test_tireid.py::test_alignment_in_eval_mode_is_on_the_means",
    ),
    Mutation(
        "variance dropped",
        "model/gaussian.py",
        "noise.to(mean.device) * (std.detach() if detach else std)",
        "noise.to(mean.device)",
        "model/test_gaussian.py::test_draws_have_the_stated_mean_and_variance",
    ),
    Mutation(
        "identity labels shuffled",
        "data/batches.py",
        "self.labels[index], index)",
        "self.labels[index.flip(0)], index)",
        "data/test_batches.py::test_loader_fetches_what_the_sampler_says",
    ),
    Mutation(
        "only one direction",
        "losses/circle.py",
        "similarity.T, positives.T, margin, gamma, transposed",
        "similarity, positives, margin, gamma, negatives",
        "losses/test_circle.py::test_each_direction_equals_loops",
    ),
    Mutation(
        "detached sample",
        "model/tireid.py",
        "alpha, options.samples, options.detach, rng)",
        "alpha, options.samples, options.detach, rng).detach()",
        "model/test_tireid.py::test_gradients_by_finite_differences_through_the_whole_objective",
    ),
    Mutation(
        "mask on padding",
        "data/masking.py",
        "candidates = word_mask(input_ids, special.eos)",
        "candidates = (input_ids != special.bos) & (input_ids != special.eos)",
        "data/test_text.py::test_only_words_are_touched_and_labels_are_the_originals",
    ),
    Mutation(
        "wrong end-of-text position: the last one",
        "model/towers.py",
        "eot = eot_positions(input_ids, self.eos_id)",
        "eot = input_ids.shape[1] - 1 - (input_ids == self.eos_id).int().flip(1).argmax(dim=1)",
        "model/test_towers.py::test_square_grid_equals_transformers",
    ),
    Mutation(
        "wrong end-of-text position: the highest id",
        "model/towers.py",
        "eot = eot_positions(input_ids, self.eos_id)",
        "eot = input_ids.argmax(dim=1)",
        "model/test_towers.py::test_the_mask_does_not_move_the_end_of_text_though_its_id_is_higher",
    ),
    Mutation(
        "position grid transposed",
        "model/towers.py",
        "grid.flatten(2)[0].T",
        "grid.transpose(2, 3).flatten(2)[0].T",
        "model/test_towers.py::test_resampling_equals_loops",
    ),
    Mutation(
        "gallery shuffled against its identities",
        "search/ranking.py",
        "self.order, self.unit = order, self.unit[order]",
        "self.order = order",
        "search/test_metrics.py::test_average_precision_equals_scikit_learn",
    ),
    Mutation(
        "gallery shuffled in the evaluation",
        "search/evaluation.py",
        "gallery.features[order], queries.person_ids",
        "gallery.features, queries.person_ids",
        "search/test_evaluation.py::test_both_directions_equal_the_oracle",
    ),
    Mutation(
        "tie rule reversed",
        "search/ranking.py",
        "[::-1] - TIE_TOLERANCE",
        "[::-1] + TIE_TOLERANCE",
        "search/test_metrics.py::test_a_collapsed_model_scores_the_worst",
    ),
    Mutation(
        "interpolation off by one: the class position is taken for a patch",
        "model/towers.py",
        "grid = table[1:].float()",
        "grid = table[:-1].float()",
        "model/test_towers.py::test_resampling_equals_loops",
    ),
    Mutation(
        "interpolation off by half a pixel",
        "model/towers.py",
        "align_corners=False",
        "align_corners=interpolation == 'bilinear'",
        "model/test_towers.py::test_resampling_equals_loops",
    ),
    Mutation(
        "temperature ignored by SDM",
        "losses/sdm.py",
        "similarity / temperature",
        "similarity",
        "losses/test_matching.py::test_sdm_equals_loops",
    ),
    Mutation(
        "temperature ignored by the recovery",
        "losses/recovery.py",
        '{"temperature": self.temperature}',
        '{"temperature": 0.03}',
        "model/test_recovery.py::test_text_tokens_and_targets_equal_loops",
    ),
    Mutation(
        "temperature ignored by the model",
        "losses/infonce.py",
        "return infonce_loss(image, text, self.temperature)",
        "return infonce_loss(image, text)",
        "model/test_tireid.py::test_alignment_in_eval_mode_is_on_the_means",
    ),
    Mutation(
        "alpha ignored",
        "model/gaussian.py",
        "return mean + alpha * noise",
        "return mean + noise",
        "model/test_gaussian.py::test_draws_have_the_stated_mean_and_variance",
    ),
    Mutation(
        "detach ignored",
        "model/gaussian.py",
        "(std.detach() if detach else std)",
        "std",
        "model/test_gaussian.py::test_detach_stops_the_gradient_through_the_standard_deviation_only",
    ),
    Mutation(
        "identity variance dropped",
        "losses/fusion.py",
        "lam * batch + (1 - lam) * identity,",
        "lam * batch,",
        "model/test_gaussian.py::test_variances_equal_loops",
    ),
    Mutation(
        "variances mixed across modalities",
        "model/tireid.py",
        "text = self._gaussian(features.text, ids, alpha, generator)",
        "both = self._gaussian(torch.cat([features.text, features.image]), ids.repeat(2), alpha, generator)\n"
        "        text = Gaussian(*(x[..., : len(ids), :] for x in (both.mean, both.variance, both.draws)))",
        "model/test_tireid.py::test_variances_are_those_of_the_features",
    ),
    Mutation(
        "evaluation samples",
        "model/tireid.py",
        "if not self.training:\n            return Gaussian",
        "if variance is None:\n            return Gaussian",
        "model/test_tireid.py::test_alignment_in_eval_mode_is_on_the_means",
    ),
    Mutation(
        "gradient through the circle weights",
        "losses/circle.py",
        "s = similarity.detach()",
        "s = similarity",
        "losses/test_circle.py::test_gradient_is_that_of_fixed_weights",
    ),
    Mutation(
        "recovery knows only the paired positive",
        "losses/recovery.py",
        "logits, same = similarity / temperature, same_person(person_ids[rows], person_ids)",
        "logits, same = similarity / temperature, same_person(rows, person_ids.new_ones(len(g)).cumsum(0) - 1)",
        "losses/test_masked.py::test_recovery_with_several_positives_equals_loops",
    ),
    Mutation(
        "recovery moves its target",
        "losses/recovery.py",
        "F.normalize(target.detach(), dim=1)",
        "F.normalize(target, dim=1)",
        "losses/test_masked.py::test_gradients_by_finite_differences_and_none_to_the_target",
    ),
    Mutation(
        "padding attended to",
        "model/interaction.py",
        "padding = None if text_mask is None else ~text_mask",
        "padding = None",
        "model/test_interaction.py::test_padding_is_never_attended_to",
    ),
    Mutation(
        "random words may be special tokens",
        "data/masking.py",
        "(uniform.double() * (special.vocab_size - len(kept)))",
        "(uniform.double() * special.vocab_size)",
        "data/test_text.py::test_random_words_are_uniform_over_ordinary_ids",
    ),
    Mutation(
        "captions without a chosen word",
        "data/masking.py",
        "((draw < limit) | (draw == draw.amin(dim=1, keepdim=True)))",
        "(draw < limit)",
        "data/test_text.py::test_every_caption_with_a_word_has_a_chosen_one",
    ),
    Mutation(
        "P x K repeats captions",
        "data/batches.py",
        "unused[person] = [pair for pair in unused[person] if pair not in pairs]",
        "unused[person] = rng.permutation(unused[person]).tolist()",
        "data/test_batches.py::test_balanced_people_end_together_without_repeats",
    ),
    Mutation(
        "every epoch in the same order",
        "data/batches.py",
        "[self.seed, self.epoch]",
        "[self.seed]",
        "data/test_batches.py::test_order_depends_on_seed_and_epoch_alone",
    ),
    Mutation(
        "recall off by one",
        "search/metrics.py",
        'counted["first_rank"] <= k',
        'counted["first_rank"] < k',
        "search/test_metrics.py::test_hand_computed",
    ),
    Mutation(
        "worst hits first",
        "search/index.py",
        "key=lambda i: (-scores[i],",
        "key=lambda i: (scores[i],",
        "search/test_gallery.py::test_search_equals_a_sort_of_exact_cosines",
    ),
    Mutation(
        "half precision kept",
        "model/io/files.py",
        "return value.float() if value.is_floating_point() else value",
        "return value",
        "model/io/test_files.py::test_torch_files_of_both_kinds",
    ),
    Mutation(
        "cleaning left out",
        "data/text.py",
        "html.unescape(html.unescape(ftfy.fix_text(text)))",
        "html.unescape(ftfy.fix_text(text))",
        "data/test_vocabulary.py::test_a_file_of_merges_makes_clips_tokenizer",
    ),
    Mutation(
        "erased with the mean colour",
        "data/erasing.py",
        "self.value.to(images), images)",
        "0 * self.value.to(images), images)",
        "data/test_erasing.py::test_the_colour_is_clips_mean_after_normalisation",
    ),
    Mutation(
        "IRRA's interaction biases with the heads",
        "model/parameters.py",
        'name.startswith("interaction.") and name.endswith("bias")',
        'name.startswith("interaction.") and name.endswith("Bias")',
        "model/test_parameters.py::test_irras_groups_are_those_of_its_code",
    ),
    Mutation(
        "styles of a stranger may load",
        "runner/sanitise.py",
        """case "url" | "error":
            return False""",
        """case "url" | "error":
            return True""",
        "runner/test_sanitise.py::test_no_element_and_no_attribute_acts_or_requests",
    ),
    Mutation(
        "an edited notebook counts as done",
        "studies/study.py",
        "dict(parameters), source[:SOURCE_DIGITS], *outside]",
        'dict(parameters), "", *outside]',
        "studies/test_study.py::test_the_code_of_the_notebook_is_part_of_the_key",
    ),
    Mutation(
        "packed figures lose digits",
        "studies/store.py",
        "return coded if np.array_equal(",
        "return coded if coded.size or np.array_equal(",
        "studies/test_store.py::test_the_code_is_small",
    ),
    Mutation(
        "another loss leaves its numbers for the bundled model",
        "options/layers.py",
        "{base.discriminator: wanted} | dict(tuned.get(str(wanted), {}))",
        "{base.discriminator: wanted}",
        "options/test_kinds.py::test_another_loss_brings_its_own_numbers",
    ),
    Mutation(
        "a module is trusted for the letters that it begins with",
        "basics/parts.py",
        'name and f"{module}.".startswith(f"{name}.")',
        "name and module.startswith(name)",
        "basics/test_parts.py::test_trust_opens_a_module_or_a_package_here_and_in_children",
    ),
    Mutation(
        "a changed source keeps the key of its runs",
        "studies/study.py",
        "outside = [dict(parts)] if parts else []",
        "outside: list[dict[str, str]] = []",
        "runner/test_identity.py::test_the_source_is_part_of_a_tasks_key_and_of_no_other",
    ),
    Mutation(
        "a changed source reads the old run back",
        "train/folder.py",
        "if before.get(part) != code[part]]:",
        "if before.get(part, code[part]) != code[part] and not before]:",
        "parts/test_outside.py::test_source_and_trust_of_a_run",
    ),
    Mutation(
        "a step back empties the basket",
        "demo/address.py",
        '{} if loaded else {"basket": self._store.view.basket}',
        "{}",
        "demo/test_address.py::test_going_back_leaves_the_basket",
    ),
    Mutation(
        "Escape forgets what is searched with",
        "demo/drawer.py",
        'return {"hit": ""}',
        'return {"picture": ""}',
        "demo/test_address.py::test_escape_goes_on_searching_with_a_picture",
    ),
]
