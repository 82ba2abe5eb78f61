//! How far a zone in a log is off UTC, from its abbreviation or its digits.

/// What is wrong with a zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wrong {
    /// It does not look like one.
    Form,
    /// An abbreviation nobody knows.
    Unknown,
}

/// Minutes east of UTC and the abbreviations that stand for them. Where several countries use the same letters it is
/// one of them, the one that fail2ban takes.
const ABBREVIATIONS: &[(i32, &str)] = &[
    (-12 * 60, "Y"),
    (-11 * 60, "X NUT SST"),
    (-10 * 60, "W CKT HST TKT HAST TAHT"),
    (-9 * 60 - 30, "MIT MART"),
    (-9 * 60, "V GIT HNY AKST GAMT HADT"),
    (-8 * 60, "U HAY HNP PST AKDT CIST"),
    (-7 * 60, "T HAP HNR MST PDT"),
    (-6 * 60, "S CST HAR HNC MDT EAST GALT"),
    (-5 * 60, "R CDT COT ECT EST HAC HNE PET EASST"),
    (-4 * 60 - 30, "HLV VET"),
    (-4 * 60, "Q AST BOT CLT EDT FKT GYT HAE HNA PYT COST"),
    (-3 * 60 - 30, "HNT NST"),
    (-3 * 60, "P ADT ART BRT GFT HAA SRT UYT WGT CLST FKST PMST PYST"),
    (-2 * 60 - 30, "HAT NDT"),
    (-2 * 60, "O FNT BRST PMDT UYST WGST"),
    (-60, "N CVT EGT AZOT"),
    (0, "Z GMT UTC WET EGST"),
    (60, "A CET DFT WAT WEDT WEST"),
    (2 * 60, "B CAT EET CEDT CEST SAST WAST"),
    (3 * 60, "C EAT IDT MSK EEDT EEST"),
    (3 * 60 + 30, "IRST"),
    (4 * 60, "D AMT AZT GET GST MSD MUT RET SCT KUYT SAMT"),
    (4 * 60 + 30, "AFT IRDT"),
    (5 * 60, "E HMT MVT PKT TFT TJT TMT UZT AMST AQTT AZST MAWT YEKT"),
    (5 * 60 + 30, "SLT"),
    (5 * 60 + 45, "NPT"),
    (6 * 60, "F BTT IOT KGT ALMT BIOT NOVT OMST YEKST"),
    (6 * 60 + 30, "CCT MMT"),
    (7 * 60, "G CXT ICT THA WIB DAVT HOVT KRAT NOVST OMSST"),
    (8 * 60, "H ACT BDT BNT HKT MYT PHT SGT WST AWST CAST IRKT ULAT WITA KRAST"),
    (9 * 60, "I JST KST PWT TLT WDT WIT AWDT YAKT IRKST"),
    (9 * 60 + 30, "ACST"),
    (10 * 60, "K PGT AEST VLAT YAPT YAKST"),
    (10 * 60 + 30, "ACDT LHST"),
    (11 * 60, "L NCT SBT VUT AEDT LHDT MAGT PONT VLAST"),
    (11 * 60 + 30, "NFT"),
    (12 * 60, "M FJT MHT TVT WFT ANAT GILT NZST PETT ANAST MAGST PETST"),
    (13 * 60, "FJST NZDT"),
];

/// Minutes east of UTC of a zone such as `CET`, `UTC+0200`, `-04:30` or `+01`; of nothing at all, none.
pub(super) fn minutes(zone: &str) -> Result<i32, Wrong> {
    let digits = zone.find(['+', '-']).unwrap_or(zone.len());
    let (name, digits) = zone.split_at(digits);
    let letters = name.bytes().all(|byte| byte.is_ascii_uppercase());
    if !letters || !matches!(name.len(), 0 | 1 | 3..=5) {
        return Err(Wrong::Form);
    }
    let digits = if digits.is_empty() { 0 } else { signed(digits).ok_or(Wrong::Form)? };
    let name = if name.is_empty() { 0 } else { abbreviated(name).ok_or(Wrong::Unknown)? };
    Ok(name + digits)
}

fn abbreviated(name: &str) -> Option<i32> {
    let known = |(_, names): &&(i32, &str)| names.split(' ').any(|known| known == name);
    ABBREVIATIONS.iter().find(known).map(|(minutes, _)| *minutes)
}

/// `+01`, `+0130` or `+01:30`, with hours below 20.
fn signed(digits: &str) -> Option<i32> {
    let sign = if digits.starts_with('-') { -1 } else { 1 };
    let digit = |byte: &u8| byte.is_ascii_digit().then(|| i32::from(byte - b'0'));
    let hours = |tens: &u8, ones: &u8| Some(digit(tens).filter(|tens| *tens < 2)? * 10 + digit(ones)?);
    let (hours, minutes) = match digits.as_bytes() {
        [_, a, b] => (hours(a, b)?, 0),
        [_, a, b, c, d] | [_, a, b, b':', c, d] => (hours(a, b)?, digit(c)? * 10 + digit(d)?),
        _ => return None,
    };
    Some(sign * (hours * 60 + minutes))
}
