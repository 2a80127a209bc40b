from records.sources.dialogues import answers, images, turns


def test_answers_and_photos_of_the_turns():
    dialogue = turns({"messages": [
        {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "a.jpg"}}, {"text": "?"}]},
        {"role": "assistant", "content": [{"type": "text", "text": "A dog"}, {"text": "runs."}]}, "junk"]})
    assert dialogue is not None and answers(dialogue) == ["A dog runs."] and images(dialogue) == ["a.jpg"]
    dialogue = turns({"conversations": [{"from": "user", "value": "Picture 1: <img>b c.jpg</img>\nSay it."},
                                        {"from": "assistant", "value": "A cat."}]})
    assert dialogue is not None and answers(dialogue) == ["A cat."] and images(dialogue) == ["b c.jpg"]
    assert turns({"conversations": "text"}) is None
