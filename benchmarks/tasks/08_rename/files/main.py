import store
from report import summary

if __name__ == "__main__":
    if not store.get_data():
        raise SystemExit("nothing to report")
    print(summary())
