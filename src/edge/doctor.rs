//! `perezvon check`: each part looked at, each line with what to do.
