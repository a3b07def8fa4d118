"""The interfaces of other libraries on the engine of this one, for programs that move over."""
