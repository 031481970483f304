"""The async client's resources: those of the sync one on the async way. The `.pyi` beside this says their types."""

from streampay._surface import Surface

AsyncSurface = Surface
