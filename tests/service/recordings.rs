//! Files, links, ranges.
