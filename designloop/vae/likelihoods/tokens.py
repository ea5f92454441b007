"""Token sequences: an autoregressive likelihood that owns its head.

The decoder maps z to one vector for each position (the plan); the head is a recurrent network that reads the plan and
what was written so far: p(x | z) = prod_t p(x_t | x_<t, plan_t).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from designloop.vae.errors import ShapeError, VAEError
from designloop.vae.likelihoods.base import Context, Likelihood
from designloop.vae.likelihoods.checks import values_can_be_read

_AT_ONCE = 16
"""Positions whose plan is read at once in a roll-out: most end long before the plan does."""


class TokenSequence(Likelihood):
    """Sequences of tokens that end with an end mark, padded behind it.

    Args:
        vocabulary: number of tokens, padding (0) and end mark (1) included.
        features: width of the plan that the decoder gives for each position.
        hidden: width of the recurrent head.
        embedding: width of a token's embedding.
        lookahead: how many first positions of the plan set the head's initial state.
        longest: tokens that a sequence may have, end mark included; None for as many as the plan has positions. With
            it, a plan of the first positions is enough for the probability of sequences that are no longer.
    """

    PAD, END = 0, 1

    def __init__(
        self,
        vocabulary: int,
        features: int,
        hidden: int,
        embedding: int,
        lookahead: int = 8,
        longest: int | None = None,
    ) -> None:
        super().__init__()
        self.vocabulary, self.features, self.lookahead, self.longest = vocabulary, features, lookahead, longest
        self.embedding = nn.Embedding(vocabulary, embedding)
        self.initial = nn.Linear(lookahead * features, hidden)
        self.recurrent = nn.GRU(embedding + features, hidden, batch_first=True)
        self.head = nn.Linear(hidden, vocabulary)

    def _initial_state(self, params: Tensor) -> Tensor:
        first = params[:, : self.lookahead]
        if first.shape[1] < self.lookahead:
            first = functional.pad(first, (0, 0, 0, self.lookahead - first.shape[1]))
        return torch.tanh(self.initial(first.flatten(1))).unsqueeze(0)

    def logits(self, params: Tensor, x: Tensor) -> Tensor:
        """Teacher-forced logits: position t has seen x_<t, padding (0) standing before the first.

        What ``sample`` cannot write has no probability: padding, an end mark at the first position (an empty sequence
        is no datum), anything but the end mark at the last position that there is.

        Args:
            params: (batch, length or more, features).
            x: (batch, length) tokens.

        Returns:
            (batch, length, vocabulary)
        """
        if x.ndim != 2 or params.ndim != 3 or params.shape[1] < x.shape[1] or params.shape[2] != self.features:
            raise ShapeError(
                "params",
                params.shape,
                f"(batch, at least {x.shape[-1]}, {self.features})",
                "let the decoder plan every position of x",
            )
        before = functional.pad(x[:, :-1], (1, 0), value=self.PAD)
        plan = params[:, : x.shape[1]]
        states, _ = self.recurrent(torch.cat([self.embedding(before), plan], -1), self._initial_state(params))
        logits: Tensor = self.head(states)
        return self._rule_out(logits, self.longest or params.shape[1])

    def _rule_out(self, logits: Tensor, longest: int, first: int = 0) -> Tensor:
        """Logits (batch, length, vocabulary) of positions from ``first`` on, very low where nothing can be written."""
        low = torch.finfo(logits.dtype).min / 4  # finite, so that 0 * log 0 is 0 in a KL
        logits[..., self.PAD] = low
        if first == 0:
            logits[:, 0, self.END] = low
        last = longest - 1 - first
        if 0 <= last < logits.shape[1]:
            logits[:, last, : self.END] = low
            logits[:, last, self.END + 1 :] = low
        return logits

    def token_log_prob(self, params: Tensor, x: Tensor) -> Tensor:
        """(batch, length) log p(x_t | x_<t, plan), zero behind the end mark. Arguments as ``logits``."""
        return _token_log_probs(self.logits(params, x), x)

    def entry_log_prob(
        self, params: Tensor, x: Tensor, mask: Tensor | None = None, context: Context | None = None
    ) -> Tensor:
        """(batch, length) log p(x_t | x_<t, plan) in nats, zero where masked. Arguments as ``log_prob``."""
        return _observed(self.token_log_prob(params, x), x, mask)

    def log_prob_of_logits(self, logits: Tensor, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """(batch,) ``log_prob`` from what ``logits`` gave, for who needs both.

        Args:
            logits: (batch, length, vocabulary).
            x, mask: as ``log_prob``.
        """
        return _observed(_token_log_probs(logits, x), x, mask).sum(-1)

    def log_prob(self, params: Tensor, x: Tensor, mask: Tensor | None = None, context: Context | None = None) -> Tensor:
        """(batch,) log p(x | params) in nats, end mark included.

        Args:
            params: (batch, length or more, features).
            x: (batch, length) tokens.
            mask: (batch, length) True up to the end mark. It can only repeat where the padding is: a missing inner
                token would have to be marginalised.

        Raises:
            VAEError: the mask hides a token.
        """
        return self.score(params, x, mask)[0]

    def score(
        self, params: Tensor, x: Tensor, mask: Tensor | None = None, context: Context | None = None
    ) -> tuple[Tensor, Tensor | None]:
        """``log_prob`` and the ``logits`` that it is made of."""
        logits = self.logits(params, x)
        return self.log_prob_of_logits(logits, x, mask), logits

    @torch.no_grad()
    def recovers(self, params: Tensor, x: Tensor) -> Tensor:
        """(batch,) whether the greedy sample at ``params`` is exactly x. Arguments as ``logits``.

        It is if and only if each token of x is the most probable one behind those before it, so that one
        teacher-forced pass tells.
        """
        return self.recovers_of_logits(self.logits(params, x), x)

    def recovers_of_logits(self, logits: Tensor, x: Tensor) -> Tensor:
        """(batch,) ``recovers`` from what ``logits`` gave."""
        right: Tensor = (logits.argmax(-1) == x) | (x == self.PAD)
        return right.all(1)

    @torch.no_grad()
    def sample(
        self,
        params: Tensor,
        generator: torch.Generator | None = None,
        context: Context | None = None,
        temperature: float = 1.0,
    ) -> Tensor:
        """(batch, length) tokens rolled out one by one, END and then PAD behind each; the greedy ones at temperature 0.

        The roll-out stops where the plan does: a row that has not ended by then is closed with END.

        Args:
            params: (batch, length, features); all positions that there are.
            temperature: divides the logits; 0 takes the most probable token.
        """
        batch, length = params.shape[:2]
        if length != (self.longest or length):
            wanted = f"(batch, {self.longest}, …)"
            raise ShapeError("params", params.shape, wanted, "let the decoder plan all positions")
        state = self._initial_state(params)[0]
        weights_in, weights_hidden, bias_in, bias_hidden = self.recurrent.all_weights[0]
        # The plan's share of the input gates is one matrix product for some positions; a step adds the token's own row.
        width = self.embedding.embedding_dim
        gates_of_token = self.embedding.weight @ weights_in[:, :width].T + bias_in
        token = torch.zeros(batch, dtype=torch.long, device=params.device)
        out = torch.zeros(batch, length, dtype=torch.long, device=params.device)
        alive = torch.arange(batch, device=params.device)
        for position in range(length):
            if position % _AT_ONCE == 0:
                gates_of_plan = params[:, position : position + _AT_ONCE] @ weights_in[:, width:].T
            gates = gates_of_token[token] + gates_of_plan[alive, position % _AT_ONCE]
            r_in, u_in, n_in = gates.chunk(3, -1)
            r_h, u_h, n_h = functional.linear(state, weights_hidden, bias_hidden).chunk(3, -1)
            update = torch.sigmoid(u_in + u_h)
            proposal = torch.tanh(n_in + torch.sigmoid(r_in + r_h) * n_h)
            state = proposal + update * (state - proposal)
            logits = self._rule_out(self.head(state).unsqueeze(1), length, position).squeeze(1)
            if temperature == 0:
                token = logits.argmax(-1)
            else:
                chances = (logits.float() / temperature).softmax(-1)
                token = torch.multinomial(chances, 1, generator=generator).squeeze(-1)
            out[alive, position] = token
            going = token != self.END
            alive, token, state = alive[going], token[going], state[going]
            if alive.numel() == 0:
                break
        return out


def _observed(log_probs: Tensor, x: Tensor, mask: Tensor | None) -> Tensor:
    """Log-probabilities, which are 0 at padding already, if the mask hides nothing else."""
    if mask is None:
        return log_probs
    if values_can_be_read(mask, x) and bool((~mask & (x != TokenSequence.PAD)).any()):
        row = int((~mask & (x != TokenSequence.PAD)).any(1).nonzero()[0])
        raise VAEError(
            f"mask hides a token of row {row}, which would have to be summed over; give True up to each row's end mark"
        )
    return torch.where(mask, log_probs, torch.zeros_like(log_probs))


def _token_log_probs(logits: Tensor, x: Tensor) -> Tensor:
    """(batch, length) log-probabilities of the tokens that are there, zero at padding."""
    nats = functional.cross_entropy(logits.flatten(0, 1), x.flatten(), reduction="none", ignore_index=TokenSequence.PAD)
    return -nats.view_as(x)
