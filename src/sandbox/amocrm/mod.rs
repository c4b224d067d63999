//! A strict pretend amoCRM: refuses whatever the real one would refuse.
