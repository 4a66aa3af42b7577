//! Protobuf varints, in their shortest form only.

/// Read one varint; `None` when it is cut short, longer than needed, or does
/// not fit 64 bits. Returns the value and how many bytes it took.
pub(crate) fn read(bytes: &[u8]) -> Option<(u64, usize)> {
    let mut value: u64 = 0;
    for (index, byte) in bytes.iter().take(10).enumerate() {
        let payload = u64::from(byte & 0x7f);
        if index == 9 && payload > 1 {
            return None;
        }
        value |= payload << (7 * index);
        if byte & 0x80 == 0 {
            let overlong = index > 0 && *byte == 0;
            return (!overlong).then_some((value, index + 1));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::read;

    #[test]
    fn shortest_form_only() {
        type Row<'a> = (&'a [u8], Option<(u64, usize)>);
        let table: [Row<'_>; 9] = [
            (&[], None),
            (&[0], Some((0, 1))),
            (&[0x7f, 9], Some((127, 1))),
            (&[0x80], None),
            (&[0x80, 0x00], None),
            (&[0x80, 0x01], Some((128, 2))),
            (&[0xff, 0x80, 0x00], None),
            (&[0xff; 11], None),
            (&[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01], Some((u64::MAX, 10))),
        ];
        for (bytes, expected) in table {
            assert_eq!(read(bytes), expected, "{bytes:02x?}");
        }
    }
}
