//! WAV and its relatives → MP3, over `Read` and `Write`.
