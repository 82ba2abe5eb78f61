//! The body of a report: the first byte chooses the form and the compression. Each row is either right or told why not, and
//! what is right can be written as JSON and read again.

#![no_main]

use banzone::clock::Timestamp;
use banzone::hub::{Body, Encoding, Format, MAX_DECOMPRESSED, Rows};
use banzone::jail::{MAX_ROWS, Report};
use libfuzzer_sys::fuzz_target;

const NOW: Timestamp = Timestamp::from_secs(1_795_334_652);

fuzz_target!(|input: &[u8]| {
    let Some((choice, body)) = input.split_first() else { return };
    let format = [Format::Json, Format::Ndjson, Format::Csv][usize::from(choice % 3)];
    let encoding = [Encoding::Identity, Encoding::Gzip, Encoding::Zstd][usize::from(choice / 3 % 3)];
    let Ok(body) = Body::read(body, encoding) else { return };
    assert!(body.bytes().len() <= MAX_DECOMPRESSED);
    let Ok(rows) = Rows::read(body.bytes(), format, NOW) else { return };
    assert!(rows.count as usize <= MAX_ROWS);
    let mut places: Vec<u32> = rows.reports.iter().map(|report| report.row).collect();
    places.extend(rows.malformed.iter().map(|(row, _)| *row));
    places.sort_unstable();
    assert!(places.into_iter().eq(0..rows.count), "every row is right or told why not");
    let written: String = rows.reports.iter().map(|report| line(&rows, report)).collect();
    let again = Rows::read(written.as_bytes(), Format::Ndjson, NOW).expect("what was read can be written");
    assert!(again.malformed.is_empty(), "{:?}", again.malformed);
    let seen = |rows: &Rows| rows.reports.iter().map(|report| line(rows, report)).collect::<Vec<_>>();
    assert_eq!(seen(&rows), seen(&again));
});

fn line(rows: &Rows, report: &Report) -> String {
    let Report { prefix, time, failures, category, .. } = *report;
    let category = &rows.categories[usize::from(category)];
    let time = time.as_secs();
    format!("{{\"ip\":\"{prefix}\",\"time\":{time},\"category\":\"{category}\",\"failures\":{failures}}}\n")
}
