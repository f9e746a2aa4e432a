"""What an in-process engine needs, imported at once; a process that is forked from here starts in a moment.

Importing it takes seconds, so nothing else does.
"""

# ruff: noqa: F401
import transformers.generation
import transformers.integrations.moe
import transformers.models.gpt_oss.modeling_gpt_oss

import prescreen.model.constrain
import prescreen.model.decode
import prescreen.model.draft
import prescreen.model.experts
import prescreen.model.norms
import prescreen.model.weights
