//! The example, the environment, and every fault with its key.
