"""Workers: loops around engine verbs. They hold no logic; whatever they skip, the next round does."""
