"""Labels merge by a table: what the thesis states, completed by the user."""

import pytest

from motionhub.data.datasets.clip_table import NUM_CLASSES, read_label_merging


FOOD = ("making cakes", "making sushi", "making pizza")


@pytest.fixture
def table(tmp_path):
    def write(text: str):
        path = tmp_path / "merging.csv"
        path.write_text(text)
        return path

    return write


def test_the_thesis_example_merges_food_and_keeps_washing():
    merging = read_label_merging("posetics")
    assert {merging.class_of(label, "kinetics-400") for label in FOOD} == {"making food"}
    washing = ("washing clothes", "washing feet", "washing hair")
    assert [merging.class_of(label, "kinetics-400") for label in washing] == list(washing)
    assert merging.class_of("making sushi", "another set") == "making sushi"
    assert merging.class_of("archery", "kinetics-400") == "archery"
    # Nothing that the thesis does not print is in the library's table.
    assert len(merging.classes) == 6 and not read_label_merging("posecap").classes
    assert NUM_CLASSES == {"posetics": 320, "posecap": 811}


def test_a_table_completes_and_overrules_what_is_stated(table):
    path = table(
        "merging,source,label,class,description\n"
        "posetics,kinetics-400,making sushi,making rice,rolls rice\n"
        ",,archery,shooting,draws a bow\n"
        "posecap,,zumba,dancing,\n"
    )
    merging = read_label_merging("posetics", path)
    assert merging.class_of("making sushi", "kinetics-400") == "making rice"
    assert merging.class_of("making pizza", "kinetics-400") == "making food"
    assert merging.class_of("archery", "any source") == "shooting"
    assert merging.descriptions == {"making rice": "rolls rice", "shooting": "draws a bow"}
    other = read_label_merging("posecap", path)
    assert (other.class_of("zumba"), other.class_of("making sushi", "kinetics-400")) == ("dancing", "making sushi")
    names = merging.class_names([("", "zumba"), ("", "archery"), ("kinetics-400", "making pizza"), ("", "abseiling")])
    assert names == ("shooting", "making food", "abseiling", "zumba")


@pytest.mark.parametrize(
    "text, reason",
    [
        ("label,class\na,b\n", "line 1: expected the columns"),
        ("source,label,class,klass\n,a,b,c\n", "line 1: expected the columns"),
        ("source,label,class\n,a\n", "line 2: expected 3 fields, got 2"),
        ("source,label,class\n,a,\n", "line 2: expected a label and a class"),
        ("source,label,class\n,a,b\n,a,c\n", r"line 3: \('', 'a'\) is 'b' in an earlier line, here 'c'"),
        ("source,label,class,description\n,a,b,x\n,c,b,y\n", "line 3: class 'b' has another description"),
        ('source,label,class\n"a,b\n', "not valid CSV"),
    ],
)
def test_a_broken_table_is_one_line(table, text, reason):
    with pytest.raises(ValueError, match=reason) as caught:
        read_label_merging("posecap", table(text))
    assert "\n" not in str(caught.value)


def test_unknown_mergings_and_absent_tables_are_one_line(tmp_path):
    with pytest.raises(ValueError, match="No label merging is called 'kinetics'"):
        read_label_merging("kinetics")
    with pytest.raises(ValueError, match="cannot be read"):
        read_label_merging("posecap", tmp_path / "absent.csv")
