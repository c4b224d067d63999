//! WAV and its relatives: every format and every damage that Asterisk leaves.
//!
//! `tests/sounds` holds one second of synthetic speech as 16-bit samples (`speech.sln`) and as sox coded them.

use std::{
    f64::consts::TAU,
    io::{self, Cursor, Seek, SeekFrom, Write},
};

use chrono::{TimeZone, Utc};
use perezvon::{
    logic::sound::{
        Coding, Fault, Made, Shape, Sound, encode,
        joining::{Piece, choose},
        mp3::Tags,
        mpeg::Mpeg,
    },
    settings::Bitrate,
};
use proptest::prelude::*;
use sha2::{Digest, Sha256};

const SPEECH: &[u8] = include_bytes!("../sounds/speech.sln");
const SPEECH_GSM: &[u8] = include_bytes!("../sounds/speech.gsm");
const SPEECH_WAV49: &[u8] = include_bytes!("../sounds/speech.wav49.wav");
const SPEECH_ADPCM: &[u8] = include_bytes!("../sounds/speech.adpcm.wav");
const SPEECH_IMA: &[u8] = include_bytes!("../sounds/speech.ima.wav");
/// Of the samples that libgsm (through sox) decodes `speech.gsm` to, 16-bit little-endian.
const SPEECH_GSM_DECODED: &str = "62293664032b9ab28a1a0f917ab78820992cfd7b64c18cc6a067970497e247ba";

fn speech() -> Vec<i16> {
    SPEECH.chunks_exact(2).map(|pair| i16::from_le_bytes([pair[0], pair[1]])).collect()
}

/// A WAV with the format chunk and the samples given.
fn wav(tag: u16, channels: u16, rate: u32, bits: u16, data: &[u8]) -> Vec<u8> {
    let block = channels * bits / 8;
    let mut file = b"RIFF".to_vec();
    file.extend((36 + data.len() as u32).to_le_bytes());
    file.extend(b"WAVEfmt \x10\0\0\0");
    file.extend(tag.to_le_bytes());
    file.extend(channels.to_le_bytes());
    file.extend(rate.to_le_bytes());
    file.extend((rate * u32::from(block)).to_le_bytes());
    file.extend(block.to_le_bytes());
    file.extend(bits.to_le_bytes());
    file.extend(b"data");
    file.extend((data.len() as u32).to_le_bytes());
    file.extend(data);
    file
}

fn pcm16(channels: u16, rate: u32, samples: &[i16]) -> Vec<u8> {
    wav(1, channels, rate, 16, &samples.iter().flat_map(|sample| sample.to_le_bytes()).collect::<Vec<_>>())
}

fn tone(rate: u32, seconds: f64) -> Vec<i16> {
    let samples = (f64::from(rate) * seconds) as usize;
    (0..samples).map(|n| (12000.0 * (TAU * 440.0 * n as f64 / f64::from(rate)).sin()) as i16).collect()
}

fn decode(file: &[u8], name: &str) -> Result<Vec<i16>, Fault> {
    let mut sound = Sound::open(Cursor::new(file), name)?;
    let (mut all, mut some) = (Vec::new(), Vec::new());
    loop {
        sound.read(&mut some)?;
        if some.is_empty() {
            return Ok(all);
        }
        all.extend(&some);
    }
}

fn shape(file: &[u8], name: &str) -> Result<Shape, Fault> {
    Shape::of(&mut Cursor::new(file), name)
}

fn to_mp3(files: &[(&[u8], &str)], bitrate: Bitrate, tags: &Tags) -> Result<(Vec<u8>, Made), Fault> {
    let mut sounds = files
        .iter()
        .map(|(file, name)| Sound::open(Cursor::new(*file), name))
        .collect::<Result<Vec<_>, _>>()?;
    let mut mp3 = Cursor::new(Vec::new());
    let made = encode(&mut sounds, &mut mp3, bitrate, tags)?;
    Ok((mp3.into_inner(), made))
}

/// Samples of an MP3 by another hand: symphonia's decoder.
fn decode_mp3(mp3: &[u8]) -> (u32, Vec<i16>) {
    use symphonia::core::{formats::TrackType, io::MediaSourceStream};
    let source = MediaSourceStream::new(Box::new(Cursor::new(mp3.to_vec())), Default::default());
    let mut format = symphonia::default::get_probe()
        .probe(&Default::default(), source, Default::default(), Default::default())
        .unwrap();
    let track = format.default_track(TrackType::Audio).unwrap();
    let parameters = track.codec_params.as_ref().unwrap().audio().unwrap().clone();
    let mut decoder =
        symphonia::default::get_codecs().make_audio_decoder(&parameters, &Default::default()).unwrap();
    let (mut all, mut some) = (Vec::new(), Vec::<i16>::new());
    while let Some(packet) = format.next_packet().unwrap() {
        decoder.decode(&packet).unwrap().copy_to_vec_interleaved(&mut some);
        all.extend(&some);
    }
    (parameters.sample_rate.unwrap(), all)
}

/// How far `heard` is from `said`, decibels; more is nearer.
fn signal_to_noise(said: &[i16], heard: &[i16]) -> f64 {
    let power = |samples: &mut dyn Iterator<Item = f64>| samples.map(|sample| sample * sample).sum::<f64>();
    let signal = power(&mut said.iter().map(|sample| f64::from(*sample)));
    let noise =
        power(&mut said.iter().zip(heard).map(|(a, b)| f64::from(*a) - f64::from(*b))).max(f64::MIN_POSITIVE);
    10.0 * (signal / noise).log10()
}

#[test]
fn linear_samples_of_every_width_come_out_as_they_were() {
    let said = speech();
    assert_eq!(decode(&pcm16(1, 8000, &said), "a.wav").unwrap(), said);
    assert_eq!(decode(SPEECH, "a.sln").unwrap(), said);
    let wide: Vec<u8> =
        said.iter().flat_map(|sample| [0, sample.to_le_bytes()[0], sample.to_le_bytes()[1]]).collect();
    assert_eq!(decode(&wav(1, 1, 8000, 24, &wide), "a.wav").unwrap(), said);
    let narrow: Vec<u8> = said.iter().map(|sample| ((sample >> 8) + 128) as u8).collect();
    let heard = decode(&wav(1, 1, 8000, 8, &narrow), "a.wav").unwrap();
    assert_eq!(heard, said.iter().map(|sample| sample >> 8 << 8).collect::<Vec<_>>());
    let floats: Vec<u8> =
        said.iter().flat_map(|sample| (f32::from(*sample) / 32768.0).to_le_bytes()).collect();
    assert!(signal_to_noise(&said, &decode(&wav(3, 1, 8000, 32, &floats), "a.wav").unwrap()) > 60.0);
}

#[test]
fn stereo_keeps_its_sides() {
    let sides: Vec<i16> = speech().into_iter().flat_map(|sample| [sample, -(sample / 2)]).collect();
    let file = pcm16(2, 16000, &sides);
    assert_eq!(decode(&file, "a.wav").unwrap(), sides);
    assert_eq!(shape(&file, "a.wav").unwrap().seconds, 0.5);
    let (mp3, _) = to_mp3(&[(&file, "a.wav")], Bitrate::Vbr(7), &Tags::default()).unwrap();
    let mpeg = Mpeg::of(&mut Cursor::new(mp3)).unwrap();
    assert_eq!((mpeg.channels, mpeg.rate), (2, 16000));
}

/// G.711 by its definition, the slow way: the code whose value is nearest.
fn g711(samples: &[i16], value: impl Fn(u8) -> i16) -> Vec<u8> {
    let values: Vec<i32> = (0..=255).map(|code| i32::from(value(code))).collect();
    let nearest = |sample: i16| {
        (0..=255u8).min_by_key(|code| (values[usize::from(*code)] - i32::from(sample)).abs()).unwrap()
    };
    samples.iter().map(|sample| nearest(*sample)).collect()
}

fn ulaw_value(code: u8) -> i16 {
    let code = !code;
    let size = (((i16::from(code & 15) << 3) + 132) << (code >> 4 & 7)) - 132;
    if code & 0x80 != 0 { -size } else { size }
}

fn alaw_value(code: u8) -> i16 {
    let code = code ^ 0x55;
    let (exponent, mantissa) = (code >> 4 & 7, i16::from(code & 15) << 4);
    let size = if exponent == 0 { mantissa + 8 } else { (mantissa + 264) << (exponent - 1) };
    if code & 0x80 != 0 { size } else { -size }
}

#[test]
fn companded_speech_is_the_same_in_a_wav_and_raw() {
    let said = speech();
    for (tag, coded, names) in [
        (7, g711(&said, ulaw_value), &["a.ulaw", "a.ul", "a.mu", "a.pcm"][..]),
        (6, g711(&said, alaw_value), &["a.alaw", "a.al"][..]),
    ] {
        let heard = decode(&wav(tag, 1, 8000, 8, &coded), "a.wav").unwrap();
        assert!(signal_to_noise(&said, &heard) > 30.0, "format {tag}: {}", signal_to_noise(&said, &heard));
        for name in names {
            assert_eq!(decode(&coded, name).unwrap(), heard, "{name}");
        }
    }
}

#[test]
fn both_kinds_of_adpcm_are_heard() {
    for (file, coding) in [(SPEECH_ADPCM, Coding::AdpcmMs), (SPEECH_IMA, Coding::AdpcmIma)] {
        assert_eq!(shape(file, "a.wav").unwrap().coding, coding);
        let noise = signal_to_noise(&speech(), &decode(file, "a.wav").unwrap());
        assert!(noise > 14.0, "{coding:?}: {noise} dB");
    }
}

#[test]
fn gsm_is_decoded_bit_for_bit_as_by_libgsm() {
    for (file, name) in [(SPEECH_GSM, "a.gsm"), (SPEECH_WAV49, "a.WAV")] {
        let heard = decode(file, name).unwrap();
        let bytes: Vec<u8> = heard.iter().flat_map(|sample| sample.to_le_bytes()).collect();
        let digest: String = Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(digest, SPEECH_GSM_DECODED, "{name}, {} dB", signal_to_noise(&speech(), &heard));
        assert_eq!(shape(file, name).unwrap().seconds, 1.0);
    }
}

#[test]
fn slin_takes_its_rate_from_its_name() {
    for (name, rate) in [("a.sln", 8000), ("a.sln16", 16000), ("a.sln44", 44100), ("a.SLN48", 48000)] {
        assert_eq!(shape(SPEECH, name).unwrap().rate, rate, "{name}");
    }
}

#[test]
fn a_header_that_was_never_closed_still_gives_its_samples() {
    let said = speech();
    let whole = pcm16(1, 8000, &said);
    let patched = |at: usize, bytes: [u8; 4]| {
        let mut file = whole.clone();
        file[at..at + 4].copy_from_slice(&bytes);
        file
    };
    let mut crashed = patched(4, [0; 4]);
    crashed[40..44].copy_from_slice(&[0; 4]);
    let mut streamed = patched(4, [0xFF; 4]);
    streamed[40..44].copy_from_slice(&[0xFF; 4]);
    for (what, file, closed) in [
        ("RIFF size 0", patched(4, [0; 4]), true),
        ("both sizes 0", crashed, false),
        ("both sizes unknown", streamed, false),
        ("data size unknown", patched(40, [0xFF; 4]), false),
    ] {
        assert_eq!(decode(&file, "a.wav").unwrap(), said, "{what}");
        assert_eq!(shape(&file, "a.wav").unwrap().closed, closed, "{what}");
    }
    let cut = &whole[..44 + 5001];
    assert_eq!(decode(cut, "a.wav").unwrap(), said[..2500]);
    assert!(!shape(cut, "a.wav").unwrap().closed);
}

#[test]
fn chunks_around_the_samples_are_stepped_over() {
    let said = speech();
    let mut file = pcm16(1, 8000, &said);
    file.splice(12..12, *b"LIST\x05\0\0\0hello\0");
    file.extend(b"id3 \x04\0\0\0abcd");
    let size = file.len() as u32 - 8;
    file[4..8].copy_from_slice(&size.to_le_bytes());
    assert_eq!(decode(&file, "a.wav").unwrap(), said);
    let nothing = wav(1, 1, 8000, 16, &[]);
    let mut nothing_but_tags = [nothing, b"LIST\x04\0\0\0abcd".to_vec()].concat();
    let size = nothing_but_tags.len() as u32 - 8;
    nothing_but_tags[4..8].copy_from_slice(&size.to_le_bytes());
    assert!(matches!(shape(&nothing_but_tags, "a.wav"), Err(Fault::Empty)));
}

#[test]
fn what_holds_no_sound_says_why() {
    let header = wav(1, 1, 8000, 16, &[]);
    let fault = |file: &[u8], name: &str| shape(file, name).map(|_| ()).unwrap_err();
    assert_eq!(header.len(), 44);
    assert!(matches!(fault(&header, "a.wav"), Fault::Empty));
    assert!(matches!(fault(&header[..30], "a.wav"), Fault::Empty));
    assert!(matches!(fault(b"", "a.wav"), Fault::Empty));
    assert!(matches!(fault(&[0; 20], "a.gsm"), Fault::Empty));
    assert!(matches!(fault(b"<html>404 not found</html>", "a.wav"), Fault::NotSound));
    assert!(matches!(fault(b"<html>404 not found</html>", "a.mp3"), Fault::NotSound));
    assert!(matches!(fault(&[7; 100], "a.txt"), Fault::NotSound));
    assert!(matches!(fault(&[7; 100], "a.g722"), Fault::Unsupported(_)));
    assert!(matches!(fault(&wav(0x50, 1, 8000, 16, &[0; 100]), "a.wav"), Fault::Unsupported(_)));
    assert!(matches!(fault(&wav(1, 6, 8000, 16, &[0; 120]), "a.wav"), Fault::Unsupported(_)));
    assert!(matches!(fault(&wav(1, 1, 0, 16, &[0; 100]), "a.wav"), Fault::Broken(_)));
    assert!(matches!(fault(&wav(1, 0, 8000, 16, &[0; 100]), "a.wav"), Fault::Broken(_)));
    assert!(matches!(fault(&wav(2, 1, 8000, 8, &[0; 100]), "a.wav"), Fault::Broken(_)));
}

#[test]
fn an_mp3_sounds_like_its_wav_and_tells_its_length() {
    for (rate, seconds) in [(8000, 3.0), (16000, 2.5), (11025, 1.0), (44100, 1.0), (48000, 0.7)] {
        let said = tone(rate, seconds);
        let file = pcm16(1, rate, &said);
        let (mp3, made) = to_mp3(&[(&file, "a.wav")], Bitrate::Vbr(7), &Tags::default()).unwrap();
        assert!((made.seconds - seconds).abs() < 0.001, "{rate}");
        assert_eq!(made.bytes, mp3.len() as u64);
        let mpeg = Mpeg::of(&mut Cursor::new(&mp3)).unwrap();
        assert!(mpeg.tagged && (mpeg.seconds - seconds).abs() < 0.001, "{rate}: {mpeg:?}");
        assert_eq!((mpeg.rate, mpeg.channels), (rate, 1));
        let (heard_rate, heard) = decode_mp3(&mp3);
        assert_eq!(heard_rate, rate);
        assert!(heard.len() >= said.len() && heard.len() < said.len() + 4 * 1152, "{rate}: {}", heard.len());
        let loud = |samples: &[i16]| samples.iter().map(|s| f64::from(*s).powi(2)).sum::<f64>().sqrt();
        let ratio = loud(&heard) / loud(&said);
        assert!((0.9..1.1).contains(&ratio), "{rate}: {ratio}");
    }
}

#[test]
fn a_rate_that_mp3_does_not_know_is_brought_to_one_it_does() {
    let file = pcm16(1, 96000, &tone(96000, 0.5));
    let (mp3, made) = to_mp3(&[(&file, "a.wav")], Bitrate::Vbr(7), &Tags::default()).unwrap();
    let mpeg = Mpeg::of(&mut Cursor::new(&mp3)).unwrap();
    assert_eq!(mpeg.rate, 48000);
    assert!((mpeg.seconds - made.seconds).abs() < 0.05, "{mpeg:?}");
}

#[test]
fn a_constant_bitrate_is_kept() {
    let file = pcm16(1, 8000, &tone(8000, 30.0));
    for kilobits in [8, 16, 24, 32, 64] {
        let (mp3, _) = to_mp3(&[(&file, "a.wav")], Bitrate::Cbr(kilobits), &Tags::default()).unwrap();
        let real = mp3.len() as f64 * 8.0 / 30.0 / 1000.0;
        assert!((real - f64::from(kilobits)).abs() < 0.05 * f64::from(kilobits) + 0.2, "{kilobits}: {real}");
        let mpeg = Mpeg::of(&mut Cursor::new(&mp3)).unwrap();
        assert!((mpeg.seconds - 30.0).abs() < 0.3, "{kilobits}: {mpeg:?}");
    }
}

#[test]
fn tags_stand_before_the_frame_that_tells_the_length() {
    let tags = Tags {
        title: "+79161234567 → 101".to_owned(),
        artist: "Анна Смирнова".to_owned(),
        album: "+74951234567".to_owned(),
        at: Some(Utc.with_ymd_and_hms(2026, 11, 20, 9, 5, 7).unwrap()),
    };
    let file = pcm16(1, 8000, &tone(8000, 5.0));
    let (mp3, made) = to_mp3(&[(&file, "a.wav")], Bitrate::Vbr(7), &tags).unwrap();
    assert_eq!(made.bytes, mp3.len() as u64);
    let read = id3::Tag::read_from2(Cursor::new(&mp3)).unwrap();
    use id3::TagLike;
    assert_eq!(read.title(), Some("+79161234567 → 101"));
    assert_eq!(read.artist(), Some("Анна Смирнова"));
    assert_eq!(read.date_recorded().unwrap().to_string(), "2026-11-20T09:05:07");
    let mpeg = Mpeg::of(&mut Cursor::new(&mp3)).unwrap();
    assert!(mpeg.tagged && mpeg.first_frame > 10 && (mpeg.seconds - 5.0).abs() < 0.001, "{mpeg:?}");
    assert_eq!(decode_mp3(&mp3).0, 8000);
}

#[test]
fn recordings_of_one_rate_are_joined_and_stereo_is_mixed_when_another_is_mono() {
    let one = pcm16(1, 8000, &tone(8000, 1.0));
    let two = pcm16(2, 8000, &tone(8000, 2.0));
    let (mp3, made) = to_mp3(&[(&one, "a.wav"), (&two, "b.wav")], Bitrate::Vbr(7), &Tags::default()).unwrap();
    assert_eq!(made.seconds, 2.0);
    assert_eq!(Mpeg::of(&mut Cursor::new(&mp3)).unwrap().channels, 1);
    let other = pcm16(1, 16000, &tone(16000, 1.0));
    let refused = to_mp3(&[(&one, "a.wav"), (&other, "b.wav")], Bitrate::Vbr(7), &Tags::default());
    assert!(matches!(refused, Err(Fault::Unsupported(_))));
}

#[test]
fn an_mp3_is_known_as_one_and_its_length_read() {
    let file = pcm16(1, 8000, &tone(8000, 10.0));
    let (mp3, _) = to_mp3(&[(&file, "a.wav")], Bitrate::Cbr(16), &Tags::default()).unwrap();
    let untagged = &mp3[144..];
    for (what, file) in [("tagged", &mp3[..]), ("untagged", untagged)] {
        let shape = shape(file, "a.mp3").unwrap();
        assert_eq!(shape.coding, Coding::Mp3, "{what}");
        assert!((shape.seconds - 10.0).abs() < 0.2, "{what}: {shape:?}");
        assert!(matches!(Sound::open(Cursor::new(file), "a.mp3"), Err(Fault::Unsupported(_))));
    }
}

/// A disk that is full after so many bytes.
struct FullDisk(Cursor<Vec<u8>>, u64);

impl Write for FullDisk {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.0.position() + bytes.len() as u64 > self.1 {
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Seek for FullDisk {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.0.seek(to)
    }
}

#[test]
fn a_full_disk_is_told_apart_from_a_broken_recording() {
    let file = pcm16(1, 8000, &tone(8000, 10.0));
    let mut sounds = [Sound::open(Cursor::new(file), "a.wav").unwrap()];
    let fault = encode(&mut sounds, FullDisk(Cursor::default(), 3000), Bitrate::Vbr(7), &Tags::default())
        .unwrap_err();
    assert!(matches!(fault, Fault::Write(error) if error.kind() == io::ErrorKind::StorageFull));
}

fn piece(began: f64, seconds: f64) -> Piece {
    Piece { began: Some(began), seconds, rate: 8000 }
}

#[test]
fn the_file_that_holds_the_whole_talk_is_taken_alone() {
    // FreePBX after a transfer: the first file runs to the end, the second repeats its last part.
    assert_eq!(choose(&[piece(0.0, 17.5), piece(8.3, 9.2)]), [0]);
    // Click-to-call through Local: two files of one talk.
    assert_eq!(choose(&[piece(0.0, 9.0), piece(3.0, 6.0)]), [0]);
    assert_eq!(choose(&[piece(0.0, 60.0), piece(20.0, 1.0)]), [0]);
}

#[test]
fn recordings_one_after_another_are_joined_in_order_of_time() {
    assert_eq!(choose(&[piece(30.0, 20.0), piece(0.0, 9.5), piece(10.0, 18.0)]), [1, 2, 0]);
    assert_eq!(choose(&[piece(0.0, 10.0), piece(9.0, 20.0)]), [0, 1]);
}

#[test]
fn without_times_or_with_other_rates_only_the_longest_is_taken() {
    let unknown = |seconds| Piece { began: None, seconds, rate: 8000 };
    assert_eq!(choose(&[unknown(5.0), unknown(9.0)]), [1]);
    assert_eq!(choose(&[piece(0.0, 5.0), Piece { rate: 16000, ..piece(10.0, 9.0) }]), [1]);
    assert!(choose(&[]).is_empty());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn no_bytes_make_the_reader_panic(
        mut file in prop::collection::vec(any::<u8>(), 0..3000),
        tag in prop::sample::select(vec![1u16, 2, 3, 6, 7, 0x11, 0x31, 0xFFFE]),
        kind in 0usize..4,
        name in prop::sample::select(vec!["a.wav", "a.gsm", "a.mp3", "a.ulaw", "a.sln24"]),
    ) {
        if kind > 0 {
            let channels = 1 + u16::from(file.first().is_some_and(|byte| byte & 1 == 1));
            let bits = [4, 8, 16][kind - 1];
            file = wav(tag, channels, 8000, bits, &file);
            if file.len() > 300 {
                let block = u16::from(file[100]) + 8;
                file[32..34].copy_from_slice(&block.to_le_bytes());
            }
        }
        let _ = decode(&file, name);
    }
}
