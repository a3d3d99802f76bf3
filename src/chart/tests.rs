use jiff::civil::date;

use super::*;

/// The pixels of a picture, three bytes each.
fn pixels(picture: &Picture) -> Vec<[u8; 3]> {
    let mut reader = png::Decoder::new(std::io::Cursor::new(&picture.png)).read_info().unwrap();
    let info = reader.info();
    assert_eq!((info.width, info.height), (picture.width, picture.height));
    let mut bytes = vec![0; reader.output_buffer_size().unwrap()];
    reader.next_frame(&mut bytes).unwrap();
    bytes.as_chunks::<3>().0.to_vec()
}

/// How many pixels of the bars' colour there are between these rows.
fn coloured(picture: &Picture, rows: std::ops::Range<usize>) -> usize {
    let RGBColor(red, green, blue) = COLOUR;
    let width = picture.width as usize;
    let (from, to) = (rows.start * width, rows.end * width);
    pixels(picture)[from..to].iter().filter(|pixel| **pixel == [red, green, blue]).count()
}

fn bar(label: &str, value: u64) -> Bar {
    Bar { label: label.to_owned(), value, shown: format!("{value} B") }
}

fn head<'a>(title: &'a str, about: &'a [String]) -> Head<'a> {
    Head { title, about }
}

#[test]
fn bars_are_as_long_as_their_values() {
    let all = [bar("@ann:one.example", 1000), bar("@bob:one.example", 250), bar("@eve", 0)];
    let picture = bars(head("Media by account", &[]), &all, None).unwrap();
    assert_eq!(picture.width, WIDTH);
    let top = usize::try_from(HEAD).unwrap();
    let row = |n: usize| coloured(&picture, top + n * 66..top + (n + 1) * 66);
    let (first, second) = (row(0), row(1));
    assert!(first > 10_000, "{first}");
    assert!((first / 4).abs_diff(second) < first / 100, "{first} is four times {second}");
    assert_eq!(row(2), 0);
    let about = ["the 3 largest of 5".to_owned(), "of 1 it is not known".to_owned()];
    let others = Others { label: "2 others".to_owned(), shown: "3 B in all".to_owned() };
    let more = bars(head("Media by account", &about), &all, Some(&others)).unwrap();
    assert!(more.height > picture.height && coloured(&more, 0..more.height as usize) > first);
    assert!(more.png.len() < 200_000, "{} bytes", more.png.len());
}

#[test]
fn no_more_bars_are_drawn_than_fit_a_phone() {
    let many: Vec<Bar> = (0..10_000).map(|n| bar(&format!("@raid-{n}"), n)).collect();
    let picture = bars(head("Media", &[]), &many, None).unwrap();
    assert!(picture.height < 1_200, "{}", picture.height);
}

#[test]
fn columns_are_as_high_as_their_counts() {
    let mut counts = [0; 30];
    (counts[3], counts[10]) = (10, 5);
    let picture = days(head("Accounts", &[]), date(2026, 10, 31), &counts).unwrap();
    let all = 0..picture.height as usize;
    let both = coloured(&picture, all.clone());
    (counts[3], counts[10]) = (10, 0);
    let one = days(head("Accounts", &[]), date(2026, 10, 31), &counts).unwrap();
    let one = coloured(&one, all.clone());
    assert!((one * 3 / 2).abs_diff(both) < both / 20, "{both}: 10 is twice 5, {one} are 10");
    let none = days(head("Accounts", &[]), date(2026, 10, 31), &[0; 30]).unwrap();
    assert_eq!(coloured(&none, all), 0);
}

#[test]
fn no_data_and_no_text_break_a_picture() {
    let long = "W".repeat(500);
    let odd = "日本語 \u{202e}\u{0}\n🦀 Ωμέγα Жук שלום a\u{301}\u{301}";
    let lines = [odd.to_owned(), long.clone(), String::new()];
    let others = Others { label: long.clone(), shown: long.clone() };
    for all in [
        &[][..],
        &[bar(&long, u64::MAX), bar(odd, 1), bar("", 0)],
        &[bar("", 0)],
        &[Bar { shown: long.clone(), ..bar(&long, 1) }],
    ] {
        for others in [None, Some(&others)] {
            let picture = bars(head(&long, &lines), all, others).unwrap();
            assert_eq!(pixels(&picture).len(), (picture.width * picture.height) as usize);
        }
    }
    for counts in [&[][..], &[0], &[1], &[u64::MAX; 30], &[1, u64::MAX], &vec![7; 10_000]] {
        for first in [date(2026, 1, 1), jiff::civil::Date::MAX, jiff::civil::Date::MIN] {
            let picture = days(head(odd, &[]), first, counts).unwrap();
            assert_eq!(pixels(&picture).len(), (picture.width * picture.height) as usize);
        }
    }
}

#[test]
fn a_line_is_cut_where_it_is_too_wide() {
    font::ready().unwrap();
    assert_eq!(cut("@ann:one.example", TEXT, 700), "@ann:one.example");
    let short = cut(&"W".repeat(500), TEXT, 700);
    let wide = width(&short, TEXT);
    assert!(short.ends_with("W…") && (600..=700).contains(&wide), "{short}");
    assert_eq!(cut("W", TEXT, 0), "");
}

#[test]
fn what_the_font_lacks_is_a_box_unless_it_is_most_of_a_text() {
    for (text, drawn) in [
        (
            "@ann:one.example “Zoë” Ωμέγα Жук 1.5 MiB …",
            Some("@ann:one.example “Zoë” Ωμέγα Жук 1.5 MiB …"),
        ),
        ("“Party 🎉🎉 room”", Some("“Party □ room”")),
        ("Zoe\u{308}", Some("Zoë")),
        ("“日本語”", None),
        ("“🎉”", None),
        ("", None),
    ] {
        assert_eq!(font::drawable(text).as_deref(), drawn, "{text}");
    }
}

#[test]
fn everything_that_is_written_or_drawn_stands_out_from_the_ground() {
    let part = |channel: u8| {
        let channel = f64::from(channel) / 255.0;
        if channel <= 0.04045 { channel / 12.92 } else { ((channel + 0.055) / 1.055).powf(2.4) }
    };
    let light = |RGBColor(red, green, blue): RGBColor| {
        0.2126 * part(red) + 0.7152 * part(green) + 0.0722 * part(blue)
    };
    for colour in [INK, FAINT_INK, COLOUR] {
        let contrast = (light(GROUND) + 0.05) / (light(colour) + 0.05);
        assert!(contrast >= 4.5, "{colour:?}: {contrast}");
    }
}

#[test]
fn no_text_is_smaller_on_a_phone_than_it_can_be_read() {
    // An em of this font is 0.86 of the height of its lines, and a phone is 390 pixels wide.
    for size in [TITLE, TEXT, SMALL] {
        let em = f64::from(size) * 0.86 * 390.0 / f64::from(WIDTH);
        assert!(em >= 11.0, "{size}: {em}");
    }
}
