//! Rows as CSV with named columns, the form of AbuseIPDB's bulk reports.

use csv_core::{ReadRecordResult, Reader};

use super::rows::{Rows, RowsError, Time, Written};
use crate::clock::Timestamp;
use crate::jail::ReportKind;

/// More columns than anybody's form has.
pub(super) const MAX_COLUMNS: usize = 64;

/// Bytes of a line, a comment among them.
pub(super) const MAX_LINE: usize = 64 * 1024;

/// Reads a line at a time into one place, so that no body takes more.
struct Lines<'b> {
    reader: Reader,
    input: &'b [u8],
    text: Vec<u8>,
    /// Where the columns of the line end in `text`.
    ends: [usize; MAX_COLUMNS],
    columns: usize,
    /// Which line of columns it is; the first names them.
    number: u32,
}

impl<'b> Lines<'b> {
    fn of(input: &'b [u8]) -> Self {
        Self {
            reader: Reader::new(),
            input,
            text: vec![0; MAX_LINE],
            ends: [0; MAX_COLUMNS],
            columns: 0,
            number: 0,
        }
    }

    /// Goes to the next line; whether there is one.
    fn next(&mut self) -> Result<bool, RowsError> {
        let (mut written, line) = (0, self.input);
        self.columns = 0;
        self.number = self.number.saturating_add(1);
        loop {
            let (text, ends) = (&mut self.text[written..], &mut self.ends[self.columns..]);
            let (result, read, wrote, ended) = self.reader.read_record(self.input, text, ends);
            self.input = &self.input[read..];
            written += wrote;
            self.columns += ended;
            match result {
                // It ends where it is asked once more without any.
                ReadRecordResult::InputEmpty => {}
                ReadRecordResult::OutputFull | ReadRecordResult::OutputEndsFull => {
                    return Err(RowsError::LongLine(self.number));
                }
                ReadRecordResult::Record if self.input.is_empty() && is_open(line) => {
                    return Err(RowsError::OpenQuote(self.number));
                }
                ReadRecordResult::Record => return Ok(true),
                ReadRecordResult::End => return Ok(false),
            }
        }
    }

    fn column(&self, place: usize) -> Option<&str> {
        let end = *self.ends[..self.columns].get(place)?;
        let begin = place.checked_sub(1).map_or(0, |before| self.ends[before]);
        std::str::from_utf8(&self.text[begin..end]).ok()
    }
}

/// Whether a quote that nothing closes has taken the lines behind it along.
fn is_open(line: &[u8]) -> bool {
    let quotes = line.iter().filter(|byte| **byte == b'"').count();
    quotes % 2 == 1 && line.trim_ascii_end().iter().any(|byte| b"\r\n".contains(byte))
}

/// Where the columns stand that mean something; a comment is not kept, as it often names people.
struct Columns {
    ip: usize,
    categories: Option<usize>,
    date: Option<usize>,
}

impl Columns {
    fn of(head: &Lines<'_>) -> Option<Self> {
        let is = |place, name: &str| {
            head.column(place).is_some_and(|column| column.trim_ascii().eq_ignore_ascii_case(name))
        };
        let find = |name: &str| (0..head.columns).find(|place| is(*place, name));
        Some(Self { ip: find("IP")?, categories: find("Categories"), date: find("ReportDate") })
    }
}

/// Reads the lines behind the one that names the columns.
pub(super) fn read(body: &[u8], rows: &mut Rows, now: Timestamp) -> Result<(), RowsError> {
    let text = std::str::from_utf8(body).map_err(|_| RowsError::Text)?;
    // Spreadsheets write a mark of the byte order.
    let mut lines = Lines::of(text.trim_start_matches('\u{feff}').as_bytes());
    let columns = if lines.next()? { Columns::of(&lines) } else { None };
    let columns = columns.ok_or(RowsError::NoColumns)?;
    while lines.next()? {
        let cell = |place: Option<usize>| place.and_then(|place| lines.column(place)).unwrap_or_default();
        let date = cell(columns.date);
        let time = (!date.trim().is_empty()).then_some(Time::Text(date));
        let (ip, category) = (cell(Some(columns.ip)), cell(columns.categories));
        rows.push(Ok(Written { ip, time, category, failures: None, kind: ReportKind::Ban }), now)?;
    }
    Ok(())
}
