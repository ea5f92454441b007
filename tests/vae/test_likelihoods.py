"""Each likelihood against an independent implementation, and its sampling against its own log-probability."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.stats
import torch

from designloop.testing.draws import generator
from designloop.vae.errors import ShapeError, VAEError
from designloop.vae.likelihoods.base import Likelihood
from designloop.vae.likelihoods.bernoulli import Bernoulli
from designloop.vae.likelihoods.gaussian import Gaussian
from designloop.vae.likelihoods.tokens import TokenSequence


def test_gaussian_against_scipy_and_mask() -> None:
    likelihood = Gaussian(4, 2.5, per_feature=True).double()
    params, x = torch.randn(2, 6, 4, dtype=torch.float64, generator=generator())
    sd = likelihood.variance(params).sqrt().detach().numpy()  # 2.5 was rounded to float32 when the module was made
    np.testing.assert_allclose(sd, np.sqrt(2.5), rtol=1e-7)
    wanted = scipy.stats.norm(params.numpy(), sd).logpdf(x.numpy())
    np.testing.assert_allclose(likelihood.log_prob(params, x).detach(), wanted.sum(1), rtol=1e-12)
    mask = torch.rand(6, 4, generator=generator(1)) > 0.5
    hidden = torch.where(mask, x, torch.full_like(x, torch.nan))
    np.testing.assert_allclose(
        likelihood.log_prob(params, hidden, mask).detach(), (wanted * mask.numpy()).sum(1), rtol=1e-12
    )
    drawn = likelihood.sample(params.expand(20_000, 6, 4), generator(2)).detach()
    assert float((drawn.mean(0) - params).abs().max()) < 5 * np.sqrt(2.5 / 20_000)


def test_bernoulli_against_scipy_and_mask() -> None:
    params = torch.randn(6, 4, dtype=torch.float64, generator=generator())
    x = (torch.rand(6, 4, generator=generator(1)) > 0.5).double()
    wanted = scipy.stats.bernoulli(params.sigmoid().numpy()).logpmf(x.numpy())
    np.testing.assert_allclose(Bernoulli().log_prob(params, x), wanted.sum(1), rtol=1e-10)
    mask = torch.rand(6, 4, generator=generator(2)) > 0.5
    hidden = torch.where(mask, x, torch.full_like(x, torch.nan))
    np.testing.assert_allclose(Bernoulli().log_prob(params, hidden, mask), (wanted * mask.numpy()).sum(1), rtol=1e-10)
    drawn = Bernoulli().sample(params.expand(20_000, 6, 4), generator(3)).mean(0)
    assert float((drawn - params.sigmoid()).abs().max()) < 5 * 0.5 / np.sqrt(20_000)


@pytest.mark.parametrize("likelihood", [Gaussian(3, 0.7, per_feature=True).double(), Bernoulli()])
def test_fisher_is_the_variance_of_the_score(likelihood) -> None:
    """E[(d log p)²] along two tangents, by Monte Carlo over 200,000 draws (standard error about 1 %)."""
    params = torch.tensor([[0.3, -0.8, 1.2]], dtype=torch.float64, requires_grad=True)
    tangents = torch.randn(1, 2, 3, dtype=torch.float64, generator=generator())
    drawn = likelihood.sample(params.detach().expand(200_000, 3), generator(1))
    spread = params.detach().expand(200_000, 3).clone().requires_grad_()
    (score,) = torch.autograd.grad(likelihood.log_prob(spread, drawn).sum(), spread)
    along = score @ tangents[0].T
    torch.testing.assert_close(
        likelihood.fisher(params.detach(), tangents)[0], along.T @ along / 200_000, rtol=0.05, atol=0.02
    )


def test_all_are_likelihoods_and_refuse_what_cannot_be() -> None:
    assert all(isinstance(part, Likelihood) for part in (Gaussian(2), Bernoulli(), small()))
    with pytest.raises(VAEError, match=r"variance is -1\.0, expected a positive number"):
        Gaussian(2, -1.0)
    with pytest.raises(ShapeError, match=r"x has shape \(5, 3\), expected \(batch, 2\)"):
        Gaussian(2).log_prob(torch.zeros(5, 3), torch.zeros(5, 3))
    for wrong in (-0.1, 2.0, float("nan")):
        with pytest.raises(VAEError, match=r"x has 2 entries that are not between 0 and 1, the first is .*; scale the"):
            Bernoulli().log_prob(torch.zeros(1, 3), torch.tensor([[0.5, wrong, wrong]]))
    with pytest.raises(ShapeError, match=r"params has shape \(5, 1\), expected \(…, 3\) for x of \(5, 3\)"):
        Bernoulli().log_prob(torch.zeros(5, 1), torch.zeros(5, 3))
    with pytest.raises(ShapeError, match=r"params has shape \(1, 2, 4\), expected \(batch, at least 3, 4\)"):
        small().log_prob(torch.zeros(1, 2, 4), torch.tensor([[2, 3, 1]]))


def small(longest: int | None = None) -> TokenSequence:
    with torch.random.fork_rng():
        torch.manual_seed(3)
        return TokenSequence(4, features=4, hidden=6, embedding=5, lookahead=2, longest=longest).double()


def sequences(longest: int) -> torch.Tensor:
    """All sequences of tokens 2 and 3 of 1..longest symbols and an end mark."""
    rows = []
    for length in range(1, longest + 1):
        for number in range(2**length):
            symbols = [2 + (number >> bit & 1) for bit in range(length)]
            rows.append(symbols + [1] + [0] * (longest - length))
    return torch.tensor(rows)


def test_token_sequences_are_normalised() -> None:
    """The probabilities of all sequences of at most 9 symbols, which is all that the plan has room for, add up to 1."""
    likelihood, longest = small(), 9
    rows = sequences(longest)
    plan = torch.randn(1, longest + 1, 4, dtype=torch.float64, generator=generator()).expand(len(rows), -1, -1)
    assert float(likelihood.log_prob(plan, rows).exp().sum().detach()) == pytest.approx(1.0, abs=1e-12)


def test_token_samples_follow_the_probabilities() -> None:
    """The roll-out is hand-written; the frequencies of its sequences agree with the teacher-forced probabilities."""
    likelihood, longest, n = small(), 3, 40_000
    rows = sequences(longest)
    plan = torch.randn(1, longest + 1, 4, dtype=torch.float64, generator=generator())
    wanted = likelihood.log_prob(plan.expand(len(rows), -1, -1), rows).exp().detach().numpy()
    drawn = likelihood.sample(plan.expand(n, -1, -1), generator(5))
    result = np.array([(drawn == row).all(1).sum() for row in rows])
    assert result.sum() == n
    assert scipy.stats.chisquare(result, n * wanted / wanted.sum()).pvalue > 1e-4


def test_a_mask_that_hides_a_token_is_refused_and_one_of_the_padding_changes_nothing() -> None:
    likelihood, rows = small(), sequences(3)
    plan = torch.randn(len(rows), 4, 4, dtype=torch.float64, generator=generator(1))
    seen = rows != 0
    assert torch.equal(likelihood.log_prob(plan, rows, seen), likelihood.log_prob(plan, rows))
    seen[5, 1] = False
    for asked in (likelihood.log_prob, likelihood.entry_log_prob, likelihood.score):
        with pytest.raises(
            VAEError, match="mask hides a token of row 5, which would have to be summed over; give True"
        ):
            asked(plan, rows, seen)


def test_greedy_is_the_argmax_of_the_teacher_forced_logits() -> None:
    likelihood = small()
    plan = torch.randn(16, 12, 4, dtype=torch.float64, generator=generator(7))
    greedy = likelihood.sample(plan, temperature=0)
    written = greedy != 0
    assert torch.equal(greedy[written], likelihood.logits(plan, greedy).argmax(-1)[written])
    assert (greedy == 1).sum(1).eq(1).all()


def test_recovered_is_what_a_greedy_sample_writes() -> None:
    likelihood, rows = small(), sequences(3)
    plan = torch.randn(1, 4, 4, dtype=torch.float64, generator=generator(7)).expand(len(rows), -1, -1)
    greedy = likelihood.sample(plan, temperature=0)
    assert torch.equal(likelihood.recovers(plan, rows), (greedy == rows).all(1))
    assert likelihood.recovers(plan, rows).sum() == 1


def test_a_plan_of_the_first_positions_is_enough_where_the_longest_is_told() -> None:
    """Probabilities are those of the whole plan; a roll-out needs the whole."""
    bounded = small(longest=10)
    plan = torch.randn(2, 10, 4, dtype=torch.float64, generator=generator())
    rows = torch.tensor([[2, 3, 1], [3, 3, 2]])
    torch.testing.assert_close(bounded.log_prob(plan[:, :3], rows), small().log_prob(plan, rows))
    assert not torch.allclose(
        bounded.log_prob(plan[:, :3], rows), small().log_prob(plan[:, :3], rows)
    )  # an end by force
    assert torch.equal(bounded.sample(plan, generator()), small().sample(plan, generator()))
    with pytest.raises(ShapeError, match=r"params.*\(2, 9, 4\).*\(batch, 10, …\).*let the decoder plan all positions"):
        bounded.sample(plan[:, :9])


def test_a_roll_out_reads_a_long_plan_piece_by_piece() -> None:
    """Greedy tokens behind the first piece are still those that the teacher-forced logits name."""
    likelihood = small()
    with torch.no_grad():
        likelihood.head.bias[1] = -30.0  # never ends of itself
    plan = torch.randn(3, 40, 4, dtype=torch.float64, generator=generator(7))
    greedy = likelihood.sample(plan, temperature=0)
    assert torch.equal(greedy, likelihood.logits(plan, greedy).argmax(-1))
    assert (greedy[:, -1] == 1).all()
    assert (greedy[:, :-1] > 1).all()


def test_padding_and_batch_mates_change_nothing() -> None:
    likelihood = small()
    plan = torch.randn(2, 8, 4, dtype=torch.float64, generator=generator())
    short = torch.tensor([[2, 3, 1, 0, 0, 0, 0, 0], [3, 3, 3, 2, 2, 3, 2, 1]])
    both = likelihood.log_prob(plan, short)
    alone = likelihood.log_prob(plan[:1], short[:1, :3])
    torch.testing.assert_close(both[:1], alone)
    torch.testing.assert_close(likelihood.log_prob(plan, short, mask=short != 0), both)
