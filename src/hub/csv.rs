//! Rows as CSV with named columns, the form of AbuseIPDB's bulk reports.

use csv::{ByteRecord, ReaderBuilder};

use super::rows::{Rows, RowsError, Time, Written};
use crate::clock::Timestamp;
use crate::jail::ReportKind;

/// Where the columns stand that mean something; a comment is not kept, as it often names people.
struct Columns {
    ip: usize,
    categories: Option<usize>,
    date: Option<usize>,
}

impl Columns {
    fn of(head: &ByteRecord) -> Option<Self> {
        let find = |name: &str| {
            head.iter().position(|column| column.trim_ascii().eq_ignore_ascii_case(name.as_bytes()))
        };
        Some(Self { ip: find("IP")?, categories: find("Categories"), date: find("ReportDate") })
    }
}

/// Reads the lines behind the one that names the columns.
pub(super) fn read(body: &[u8], rows: &mut Rows, now: Timestamp) -> Result<(), RowsError> {
    let text = std::str::from_utf8(body).map_err(|_| RowsError::Text)?;
    // Spreadsheets write a mark of the byte order.
    let text = text.trim_start_matches('\u{feff}');
    let mut reader = ReaderBuilder::new().flexible(true).has_headers(false).from_reader(text.as_bytes());
    let mut record = ByteRecord::new();
    let mut next = |record: &mut ByteRecord| reader.read_byte_record(record).unwrap_or(false);
    let columns = if next(&mut record) { Columns::of(&record) } else { None };
    let columns = columns.ok_or(RowsError::NoColumns)?;
    while next(&mut record) {
        let column = |place| record.get(place).and_then(|cell| std::str::from_utf8(cell).ok());
        let cell = |place: Option<usize>| place.and_then(column).unwrap_or_default();
        let date = cell(columns.date);
        let time = (!date.trim().is_empty()).then_some(Time::Text(date));
        let (ip, category) = (cell(Some(columns.ip)), cell(columns.categories));
        rows.push(Ok(Written { ip, time, category, failures: None, kind: ReportKind::Ban }), now)?;
    }
    Ok(())
}
