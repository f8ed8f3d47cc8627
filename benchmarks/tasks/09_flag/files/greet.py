import argparse


def main():
    parser = argparse.ArgumentParser(description="Greets somebody.")
    parser.add_argument("name")
    parser.add_argument("--times", type=int, default=1, help="how often to greet")
    args = parser.parse_args()
    for _ in range(args.times):
        print(f"Hello, {args.name}!")


if __name__ == "__main__":
    main()
