//! A pretend PBX: writes CDR and CEL rows and WAV files of believable calls, and asks FastAGI as Asterisk would.
