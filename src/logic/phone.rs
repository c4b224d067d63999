//! Any spelling of a phone number → one canonical number, so that equal numbers meet.
//!
//! Own rules come first (extensions, replacements, `00`, area code), then libphonenumber, which is believed only
//! when it calls the number valid. A number of no known plan that still has 7–15 digits is kept as it is: its
//! calls must not be lost.

mod spelling;

use std::{collections::HashMap, fmt};

use regex::Regex;
use rlibphonenumber::{PHONE_NUMBER_UTIL, PhoneNumberFormat, Region};
use serde::{Deserialize, Serialize};

use crate::settings::Numbers;

/// Countries of the `+7` plan: eleven digits, trunk prefix 8.
const SEVEN: [&str; 2] = ["RU", "KZ"];

/// A canonical number, `+` and 7–15 digits (E.164 unless its plan is unknown).
///
/// No `Display`: a log may only show [`Phone::masked`].
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Phone(String);

impl Phone {
    /// Reads what [`Phone::as_str`] gave; none when it is not of that form.
    pub fn from_canonical(text: &str) -> Option<Self> {
        let digits = text.strip_prefix('+')?;
        let fits = (7..=15).contains(&digits.len())
            && digits.bytes().all(|byte| byte.is_ascii_digit())
            && !digits.starts_with('0');
        fits.then(|| Self(text.to_owned()))
    }

    /// `+79161234567`, for the CRM and the store.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The digits as one number, `79161234567`: the directory's key.
    pub fn number(&self) -> u64 {
        self.0.bytes().skip(1).fold(0, |number, byte| number * 10 + u64::from(byte - b'0'))
    }

    /// `+7 916 123-45-67`, for people; none when its plan is not known.
    pub fn pretty(&self) -> Option<String> {
        let number = PHONE_NUMBER_UTIL.parse(&self.0, None).ok()?;
        number.is_valid().then(|| number.format_as(PhoneNumberFormat::International).into_owned())
    }

    /// `+7916***4567`, for logs.
    pub fn masked(&self) -> String {
        let digits = &self.0[1..];
        let head = digits.len().saturating_sub(7).min(4);
        format!("+{}***{}", &digits[..head], &digits[digits.len() - 4..])
    }
}

impl fmt::Debug for Phone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.masked())
    }
}

impl From<Phone> for String {
    fn from(phone: Phone) -> Self {
        phone.0
    }
}

impl TryFrom<String> for Phone {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::from_canonical(&text).ok_or("not a canonical phone number (+ and 7 to 15 digits)")
    }
}

/// `[numbers]`, compiled: what is inside, and how numbers are spelled here.
#[derive(Debug, Clone)]
pub struct Phones {
    region: Region,
    plan_of_seven: bool,
    area_code: String,
    internal: Regex,
    replacements: Vec<(Regex, String)>,
    mobiles: HashMap<Phone, String>,
}

impl Phones {
    /// Compiles `[numbers]`; the error names the key and says what to write instead.
    pub fn new(numbers: &Numbers) -> Result<Self, String> {
        let country = numbers.country.trim().to_ascii_uppercase();
        let plan_of_seven = SEVEN.contains(&country.as_str());
        // The +7 plan is shared, and its metadata for RU also reads every number of KZ, but not the other way.
        let region = if plan_of_seven { "RU" } else { &country }
            .parse()
            .map_err(|_| format!("numbers.country: {country:?} is no country; write two letters, \"RU\""))?;
        let mut phones = Self {
            region,
            plan_of_seven,
            area_code: numbers.area_code.chars().filter(char::is_ascii_digit).collect(),
            internal: pattern("numbers.internal", &format!("^(?:{})$", numbers.internal))?,
            replacements: Vec::new(),
            mobiles: HashMap::new(),
        };
        for (index, replacement) in numbers.replacements.iter().enumerate() {
            let key = format!("numbers.replacements[{index}].pattern");
            phones.replacements.push((pattern(&key, &replacement.pattern)?, replacement.replace.clone()));
        }
        for (mobile, extension) in &numbers.mobiles {
            let phone = phones.canonical(mobile).ok_or_else(|| {
                format!("numbers.mobiles: {mobile:?} is no phone number; write \"+79031112233\"")
            })?;
            phones.mobiles.insert(phone, extension.clone());
        }
        // libphonenumber's first answer takes 12 ms: not while a phone rings.
        phones.valid("+74951234567");
        Ok(phones)
    }

    /// Reads any spelling; none when the number is internal, hidden or rubbish.
    pub fn canonical(&self, raw: &str) -> Option<Phone> {
        let digits = self.digits(raw)?;
        if self.internal.is_match(&digits) {
            return None;
        }
        match digits.strip_prefix('+') {
            Some(digits) => self.international(digits),
            None => self.as_dialled(&digits),
        }
    }

    /// `8 (916) 123-45-67`: as people here dial it; a number of another country, or of no known plan, with its `+`.
    pub fn national(&self, phone: &Phone) -> String {
        let number = PHONE_NUMBER_UTIL.parse(phone.as_str(), None).ok();
        let here = number.filter(|number| number.is_valid() && self.is_of_here(number.country_code));
        here.map(|number| number.format_as(PhoneNumberFormat::National).into_owned())
            .or_else(|| phone.pretty())
            .unwrap_or_else(|| phone.as_str().to_owned())
    }

    fn is_of_here(&self, country_code: i32) -> bool {
        PHONE_NUMBER_UTIL.get_country_code_for_region(self.region) == Some(country_code)
    }

    /// Whether this is an extension.
    pub fn is_internal(&self, raw: &str) -> bool {
        self.digits(raw).is_some_and(|digits| self.internal.is_match(&digits))
    }

    /// The extension whose owner has this mobile, by `[numbers] mobiles`.
    pub fn employee_of(&self, phone: &Phone) -> Option<&str> {
        self.mobiles.get(phone).map(String::as_str)
    }

    /// Bare digits, with `+` when it stood in front, after the replacements.
    fn digits(&self, raw: &str) -> Option<String> {
        let mut digits = spelling::digits(raw)?;
        for (pattern, replace) in &self.replacements {
            if let std::borrow::Cow::Owned(replaced) = pattern.replace(&digits, replace.as_str()) {
                digits = spelling::digits(&replaced)?;
            }
        }
        Some(digits)
    }

    /// A number without `+`, as phones and trunks dial it here.
    fn as_dialled(&self, digits: &str) -> Option<Phone> {
        if let Some(rest) = digits.strip_prefix("00") {
            return self.international(rest);
        }
        if !self.area_code.is_empty() && (5..=8).contains(&digits.len()) {
            let local = self.valid(&format!("{}{digits}", self.area_code));
            if local.is_some() {
                return local;
            }
        }
        self.valid(digits).or_else(|| self.valid(&format!("+{digits}"))).or_else(|| {
            let unlisted = self.plan_of_seven && digits.len() == 10 && !digits.starts_with('0');
            if unlisted {
                Phone::from_canonical(&format!("+7{digits}"))
            } else {
                self.of_no_known_plan(digits)
            }
        })
    }

    /// The digits behind `+` or `00`.
    fn international(&self, digits: &str) -> Option<Phone> {
        // People also write a plus before a national number: "+8 (800) …".
        self.valid(&format!("+{digits}"))
            .or_else(|| self.valid(digits))
            .or_else(|| self.of_no_known_plan(digits))
    }

    fn of_no_known_plan(&self, digits: &str) -> Option<Phone> {
        if digits.starts_with('0') {
            return self.international(digits.trim_start_matches('0'));
        }
        if self.plan_of_seven && digits.len() == 11 && digits.starts_with('8') {
            return Phone::from_canonical(&format!("+7{}", &digits[1..]));
        }
        Phone::from_canonical(&format!("+{digits}"))
    }

    /// What libphonenumber makes of it, when it vouches for it.
    fn valid(&self, text: &str) -> Option<Phone> {
        let number = PHONE_NUMBER_UTIL.parse(text, Some(self.region)).ok()?;
        if !number.is_valid() {
            return None;
        }
        Phone::from_canonical(&number.format_as(PhoneNumberFormat::E164))
    }
}

fn pattern(key: &str, text: &str) -> Result<Regex, String> {
    Regex::new(text).map_err(|error| format!("{key}: {error}"))
}
