"""What a model costs on a Cortex-M4 and on a Cortex-M0+, without either of them at hand.

``measure(model, CORTEX_M4)`` gives a ``Cost``. ``firmware`` compiles the engine, the model and a
small ``main``; ``program`` reads what the linker made; ``emulator`` runs it in unicorn and keeps
every address; ``instructions`` and ``timing`` say what each instruction is and takes; ``trace`` and
``parts`` add it up, by layer; ``memory`` and ``energy`` estimate from there; ``report`` shows it.
"""

from scratchml.cost.cpus import CORTEX_M0PLUS, CORTEX_M4, CPUS, Cpu
from scratchml.cost.measure import Cost, measure
from scratchml.cost.parts import Part

__all__ = ["CORTEX_M0PLUS", "CORTEX_M4", "CPUS", "Cost", "Cpu", "Part", "measure"]
