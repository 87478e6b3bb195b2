"""The apprentice: an honest embedded endpoint, a mechanical learner that is not an LLM and says so in every reply.

It answers OpenAI chat completions on loopback (`serve`, `running_apprentice`, `python -m flex.apprentice`) or in
process (`ApprenticeModel`). Its only channel for improvement is the text in its prompt. Reading order: `roles`
(which reply is asked for), `acting`, `judging`, `keeping` (the roles), `reading` and `wording` (text), `mapping`,
`templates`, `ranking` (chemistry), `specialists` (models that know one family), `server`, and `demo_data`.
"""

from flex.apprentice.endpoint.process import running_apprentice as running_apprentice
from flex.apprentice.endpoint.server import serve as serve
from flex.apprentice.model import ApprenticeModel as ApprenticeModel

__all__ = ["ApprenticeModel", "running_apprentice", "serve"]
