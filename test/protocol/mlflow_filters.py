"""Parses filters and orders with MLflow's own parser: a JSON object a line in, what it says a line out."""
import json
import sys

from mlflow.utils.search_utils import SearchUtils


def filtered(text):
    return [[one["type"], one["key"], one["comparator"].upper(), one["value"]] for one in SearchUtils.parse_search_filter(text)]


def ordered(text):
    return list(SearchUtils.parse_order_by_for_search_runs(text))


for line in sys.stdin:
    question = json.loads(line)
    try:
        if "filter" in question:
            print(json.dumps(filtered(question["filter"])))
        else:
            print(json.dumps(ordered(question["order"])))
    except Exception as error:
        print(json.dumps({"error": str(error)[:200]}))
