//! Recording paths → WAV files → MP3 files, on blocking threads; signed links.
