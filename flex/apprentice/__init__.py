"""The apprentice: an honest embedded endpoint, a mechanical learner that is not an LLM and says so in every reply.

It answers OpenAI chat completions on loopback (`serve`, `running_apprentice`, `flex apprentice`) or in
process (`ApprenticeModel`). Its only channel for improvement is the text in its prompt.
"""

from flex.apprentice.endpoint.process import running_apprentice as running_apprentice
from flex.apprentice.endpoint.server import serve as serve
from flex.apprentice.model import ApprenticeModel as ApprenticeModel

__all__ = ["ApprenticeModel", "running_apprentice", "serve"]
