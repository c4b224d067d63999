//! The subcommands as a person runs them.
