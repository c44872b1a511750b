use super::*;

/// What is thought and what is answered, however the text is cut.
fn split(text: &str) -> (String, String) {
    let letters: Vec<char> = text.chars().collect();
    let mut results: Vec<(String, String)> = (1..=letters.len().max(1))
        .map(|size| {
            let mut thinking = Thinking::default();
            let (mut thought, mut answer) = (String::new(), String::new());
            let mut give = |piece| match piece {
                Piece::Reasoning(text) => thought += &text,
                Piece::Answer(text) => answer += &text,
                Piece::TakenBack => thought += &std::mem::take(&mut answer),
            };
            for chunk in letters.chunks(size) {
                thinking.feed(&chunk.iter().collect::<String>(), &mut give);
            }
            thinking.end(&mut give);
            (thought, answer)
        })
        .collect();
    results.dedup();
    assert_eq!(results.len(), 1, "{results:?}");
    results.remove(0)
}

#[track_caller]
fn splits(cases: &[(&str, &str, &str)]) {
    for (text, thought, answer) in cases {
        assert_eq!(split(text), ((*thought).to_owned(), (*answer).to_owned()), "{text:?}");
    }
}

#[test]
fn what_is_thought_is_told_from_the_answer_however_it_is_cut() {
    splits(&[
        ("A cup.", "", "A cup."),
        ("<think>A cup? Yes.</think>\n\nA cup.", "A cup? Yes.", "A cup."),
        ("\n <think>\nHm < 3 </thin </think>A cup.", "\nHm < 3 </thin ", "A cup."),
        ("<think></think>A <think> tag.", "", "A <think> tag."),
        ("A <think>tag</think>.", "", "A <think>tag</think>."),
        ("<think>It never ends", "It never ends", ""),
        ("<think>It is cut </th", "It is cut </th", ""),
        ("<thi", "", "<thi"),
        ("  ", "", ""),
        ("", "", ""),
        ("<think>ä</think>ö", "ä", "ö"),
        ("\n\n A cup. It\n is red.\n", "", "A cup. It\n is red."),
    ]);
}

#[test]
fn thoughts_are_known_by_the_marks_of_every_family() {
    splits(&[
        ("◁think▷Hm.◁/think▷A cup.", "Hm.", "A cup."),
        ("[THINK]Hm.[/THINK]A cup.", "Hm.", "A cup."),
        ("<|channel>thought\nHm.<channel|>A cup.", "Hm.", "A cup."),
        ("<|channel>thought\n<channel|>A cup.<turn|>", "", "A cup."),
        ("<|turn>thinking\nHm.<turn|>\n<|turn>model\nA cup.<turn|>\nuser", "Hm.", "A cup."),
        ("<THINK>Hm.</THINK>A cup.", "Hm.", "A cup."),
        ("<thinking>Hm.</thinking>\nA cup.", "Hm.", "A cup."),
        ("<thought>Hm.</thought>A cup.", "Hm.", "A cup."),
        ("<seed:think>Hm.</seed:think>A cup.", "Hm.", "A cup."),
        ("<think effort=\"low\">Hm.</think>A cup.", "Hm.", "A cup."),
        (
            "<|START_THINKING|>Hm.<|END_THINKING|><|START_RESPONSE|>A cup.<|END_RESPONSE|>",
            "Hm.",
            "A cup.",
        ),
        ("Hm.\n[BEGIN FINAL RESPONSE]\nA cup.\n[END FINAL RESPONSE]", "Hm.\n", "A cup."),
        ("<unused94>thought\nHm.<unused95>A cup.", "Hm.", "A cup."),
        ("Hm.\n<unused95>\nA cup.", "Hm.\n", "A cup."),
        ("<longcat_think>\nHm.\n</longcat_think>\nA cup.", "\nHm.\n", "A cup."),
        ("Hm.\n</longcat_think>\nA cup.", "Hm.\n", "A cup."),
        ("<|START_THINKING|>Hm.<|END_THINKING|><|START_TEXT|>A cup.<|END_TEXT|>", "Hm.", "A cup."),
        (
            "<|begin_of_thought|>\n\nHm.\n\n<|end_of_thought|>\n\n<|begin_of_solution|>\n\nA cup.\n\n<|end_of_solution|>",
            "\n\nHm.\n\n",
            "A cup.",
        ),
        ("<think>Hm.</think><output>\nA cup.\n</output>", "Hm.", "A cup."),
        (
            "<|channel|>analysis<|message|>Hm.<|end|><|start|>assistant<|channel|>final<|message|>A cup.<|return|>",
            "Hm.",
            "A cup.",
        ),
        ("<|channel|>analysis<|message|>Hm.<|channel|>final<|message|>A cup.", "Hm.", "A cup."),
        ("<|channel|>final<|message|>A cup.", "", "A cup."),
        ("analysisThe user asks.assistantfinalA cup.", "analysisThe user asks.", "A cup."),
        ("analysiswe look.assistantfinalA cup.", "analysiswe look.", "A cup."),
        ("analysis We look. assistantfinal A cup.", "analysis We look. ", "A cup."),
        ("analysisA cup", "analysisA cup", ""),
        ("analysis of the cup: assistant", "", "analysis of the cup: assistant"),
        ("analysis of the cup<|im_end|>", "", "analysis of the cup"),
        ("analysis", "", "analysis"),
    ]);
}

#[test]
fn there_may_be_more_than_one_block_of_thoughts() {
    splits(&[
        ("<think>a</think><think>b</think>A cup.", "ab", "A cup."),
        ("<think>a</think>\n\n<think>b</think>\n\nA cup.", "ab", "A cup."),
        ("A cup.\n<think>b</think>\nIt is red.", "b", "A cup.\nIt is red."),
        ("A ◁think▷b◁/think▷ cup.", "b", "A cup."),
        ("A◁think▷b◁/think▷ cup.", "b", "A cup."),
        ("<think>a <think>b</think> c</think>\nA cup.", "a <think>bc", "A cup."),
    ]);
}

#[test]
fn a_late_mark_takes_back_what_was_thought() {
    splits(&[
        ("It is round.\n</think>\n\nA cup.", "It is round.\n", "A cup."),
        ("It is round.</think>A cup.", "It is round.", "A cup."),
        ("</think>A cup.", "", "A cup."),
        ("It is round.◁/think▷A cup.", "It is round.", "A cup."),
        ("It is round.<channel|>A cup.", "It is round.", "A cup."),
        ("It is round.[/THINK]A cup.", "It is round.", "A cup."),
        (
            "It is round.<|end|><|start|>assistant<|channel|>final<|message|>A cup.",
            "It is round.",
            "A cup.",
        ),
        ("It is round.\n</think>", "It is round.\n", ""),
        ("It is round.\n</think>\n<|im_end|>", "It is round.\n", ""),
        ("<think>a</think>A cup.\n</think>", "a", "A cup."),
    ]);
    let mut pieces = Vec::new();
    let mut thinking = Thinking::default();
    thinking.feed("Hm.</think>", &mut |piece| pieces.push(piece));
    assert_eq!(pieces, [Piece::Answer("Hm.".into())]);
    thinking.feed("\n\nA", &mut |piece| pieces.push(piece));
    assert_eq!(pieces[1..], [Piece::TakenBack, Piece::Answer("A".into())]);
}

#[test]
fn a_mark_that_is_spoken_of_is_text() {
    splits(&[
        ("It ends with `</think>`.", "", "It ends with `</think>`."),
        ("<think>`</think>` ends it.</think>A cup.", "`</think>` ends it.", "A cup."),
        ("<think>I say `a cup`</think>A cup.", "I say `a cup`", "A cup."),
        ("<think>```\na cup\n```</think>\nA cup.", "```\na cup\n```", "A cup."),
        ("I say `a cup`</think>\nA cup.", "I say `a cup`", "A cup."),
        ("I say `a cup`</think>", "I say `a cup`", ""),
        ("It ends with `<|im_end|>`.", "", "It ends with `<|im_end|>`."),
        ("The sign says [THINK] in red.", "", "The sign says [THINK] in red."),
        ("<think>a</think>Use </think> to close.", "a", "Use </think> to close."),
        ("The tag <answer> is new.", "", "The tag <answer> is new."),
        ("<s>no</s> yes", "", "<s>no</s> yes"),
        ("A <s>cup</s>", "", "A <s>cup</s>"),
        ("A <s>cup</s></s>", "", "A <s>cup</s>"),
        ("a[1] < b <c>", "", "a[1] < b <c>"),
        ("<|box_start|>(1,2)<|box_end|>", "", "<|box_start|>(1,2)<|box_end|>"),
    ]);
}

#[test]
fn marks_around_the_answer_and_at_its_end_are_left_out() {
    splits(&[
        ("<answer>A cup.</answer>", "", "A cup."),
        ("<think>a</think>\n<answer>\nA cup.\n</answer>\n", "a", "A cup."),
        ("<think>a</think><response>A cup.</response>", "a", "A cup."),
        ("<response>A cup.</response> it is", "", "<response>A cup.</response> it is"),
        ("<response>A cup.</response>", "", "<response>A cup.</response>"),
        ("The answer is <answer>a cup</answer>.", "", "The answer is a cup."),
        ("The answer is <answer>a cup</answer>", "", "The answer is a cup"),
        ("So: <answer>**A cup**</answer>", "", "So: **A cup**"),
        ("Use <answer> and </answer>", "", "Use <answer> and </answer>"),
        ("Use <answer></answer>.", "", "Use <answer></answer>."),
        ("A cup.</answer>", "", "A cup."),
        ("<answer>A</answer> <answer>cup.</answer>", "", "A cup."),
        ("<|begin_of_box|>A cup.<|end_of_box|>", "", "A cup."),
        ("The answer is <|begin_of_box|>a cup<|end_of_box|>.", "", "The answer is a cup."),
        ("A cup.<|im_end|>", "", "A cup."),
        ("A cup.<|im_end|>\n<|im_start|>user\nAnd now?", "", "A cup."),
        ("A cup.</s>", "", "A cup."),
        ("A cup.<eos>\n", "", "A cup."),
        ("A cup.<end_of_turn>", "", "A cup."),
        ("A cup.<｜end▁of▁sentence｜>", "", "A cup."),
        ("<|im_start|>assistant\nA cup.", "", "A cup."),
        ("<|endoftext|>A cup.", "", "A cup."),
        ("<|start_header_id|>assistant<|end_header_id|>\n\nA cup.<|eot_id|>", "", "A cup."),
        ("<|START_OF_TURN_TOKEN|><|CHATBOT_TOKEN|>A cup.<|END_OF_TURN_TOKEN|>", "", "A cup."),
        ("<start_of_turn>model\nA cup.<end_of_turn>\n<start_of_turn>user\nAnd?", "", "A cup."),
        ("<|turn>model\n<|channel>thought\nHm.<channel|>A cup.<turn|>", "Hm.", "A cup."),
        ("<|im_assistant|>assistant<|im_middle|>◁think▷Hm.◁/think▷A cup.", "Hm.", "A cup."),
        ("A cup.[|endofturn|]", "", "A cup."),
        ("A cup.<pad><pad>\n<pad>", "", "A cup."),
        ("[/INST] A cup.", "", "A cup."),
        ("A cup.<|end|>", "", "A cup."),
    ]);
}

#[test]
fn an_answer_without_thoughts_is_not_held_back() {
    let feed = |text| {
        let mut pieces = Vec::new();
        Thinking::default().feed(text, &mut |piece| pieces.push(piece));
        pieces
    };
    assert_eq!(feed("A"), [Piece::Answer("A".into())]);
    assert_eq!(feed("a"), [Piece::Answer("a".into())]);
    assert_eq!(feed("<"), []);
    assert_eq!(feed("A <"), [Piece::Answer("A".into())]);
    assert_eq!(feed("<b>a"), [Piece::Answer("<b>a".into())]);
}

#[test]
fn words_in_tags_are_thoughts_only_where_the_answer_begins() {
    splits(&[
        ("<analysis>Hm.</analysis>\nA cup.", "Hm.", "A cup."),
        ("<analysis>a</think>b</analysis>A cup.", "a", "b</analysis>A cup."),
        ("<think>a</analysis>b</think>A cup.", "a</analysis>b", "A cup."),
        ("A cup.\n<analysis>Red.</analysis>", "", "A cup.\n<analysis>Red.</analysis>"),
        ("A cup.</analysis>", "", "A cup.</analysis>"),
    ]);
}

#[test]
fn thoughts_aside_end_those_that_only_began() {
    let read = |pieces: &[&str], alone| {
        let mut thinking = Thinking::default();
        let mut answer = String::new();
        let mut give = |piece| {
            if let Piece::Answer(text) = piece {
                answer += &text;
            }
        };
        for piece in pieces {
            match piece.strip_prefix('/') {
                Some(_) => thinking.think_aside(alone),
                None => thinking.feed(piece, &mut give),
            }
        }
        thinking.end(&mut give);
        answer
    };
    assert_eq!(read(&["<think>", "/", "A cup."], true), "A cup.");
    assert_eq!(read(&["<think>\n", "/", "/", "\n\nA cup."], true), "A cup.");
    assert_eq!(read(&["<think>", "/", "Hm.", "</think>A cup."], false), "A cup.");
    assert_eq!(read(&["<think>Hm.", "/", "Hm.</think>A cup."], true), "A cup.");
    assert_eq!(read(&["/", "<response>A cup.</response>"], true), "A cup.");
}

#[test]
fn white_space_is_looked_at_once() {
    let mut thinking = Thinking::default();
    let mut told = Vec::new();
    for text in ["\n", " <think>a</think>", "\n\n", "b", " ", " "] {
        thinking.feed(text, &mut |piece| told.push(piece));
        assert_eq!(thinking.held, "", "{text:?}");
    }
    assert_eq!(told, [Piece::Reasoning("a".into()), Piece::Answer("b".into())]);
}
