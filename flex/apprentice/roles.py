"""One apprentice for all roles: it recognises from the prompt which reply is asked for."""

import re
from collections.abc import Callable, Mapping

from flex.apprentice import actor, critic, retriever, updater, verifier
from flex.apprentice.protein import critic as protein_critic
from flex.apprentice.protein import roles as protein
from flex.apprentice.text import Messages, first_prompt, texts

_MATERIAL = re.compile(
    r"<(entry|experience|similar_experience|new_experience|candidate|question|query|target|attempt|answer|feedback|round|rollout"
    r"|trajectory|memory|retrieved|observation)\b[^<>]*>.*?</\1>",
    re.DOTALL | re.IGNORECASE,
)
Role = Callable[[Messages, str], str]
_ON_ASSAYS: Mapping[Role, Role] = {
    actor.act_in_chat: protein.act_in_chat,
    actor.act_as_agent: protein.act_as_agent,
    verifier.judge: protein.judge,
    critic.distill: protein_critic.distill,
    updater.update: protein.update,
}


def reply(messages: Messages, model: str = "apprentice") -> str:
    """The reply to these chat messages; the same messages always get the same one."""
    role = _role(messages)
    return (_ON_ASSAYS.get(role, role) if protein.is_about_assay(messages) else role)(messages, model)


def _role(messages: Messages) -> Role:
    """Told from the system prompt where that is enough, else from the first message without what its tags hold."""
    system = "\n".join(texts(messages, "system", "developer"))
    if "final_answer" in system and ("<code>" in system or "```" in system):
        return actor.act_as_agent
    first = first_prompt(messages)
    asked = [system] if _is_actor(system) else [system, _MATERIAL.sub("", first), first]
    for text in asked:
        if role := _described(text):
            # An experience is asked for in both cases: of a record, or of an entry that is over its limits.
            return updater.consolidate if role is critic.distill and "<limits>" in first else role
        if _is_actor(text):
            break
    return actor.act_in_chat


def _is_actor(text: str) -> bool:
    """Whether a text asks for an answer of one's own."""
    return any(mark in text for mark in ("<answer>", r"\boxed", "####")) and _described(text) is None


def _described(text: str) -> Role | None:
    """The role whose reply a text describes first: instructions come before material."""
    decides = all(action in text for action in ("insert", "merge", "discard"))
    places = {
        updater.update: text.find('"action"') if decides else -1,
        critic.distill: text.find('"revised_trajectory"'),
        retriever.select: text.find('"selected"'),
        verifier.judge: text.find("<next_step>"),
    }
    return min((role for role in places if places[role] >= 0), key=places.__getitem__, default=None)
