import asyncio

from fumehood import AsyncFumehood, AsyncSandbox, CommandExitError


def test_everything_has_an_asynchronous_twin_that_does_many_things_at_once(engineer):
    async def work():
        async with await AsyncSandbox.create(memory="256m", ttl="10m") as sandbox:
            await sandbox.files.write("a.txt", "hello")
            seen = []
            results = await asyncio.gather(
                *(sandbox.commands.run(f"sleep 0.2; echo {at}", on_stdout=seen.append) for at in range(8)),
                sandbox.run_code("print(open('a.txt').read())"),
            )
            assert sorted(seen) == sorted(f"{at}\n" for at in range(8))
            assert results[-1].stdout == "hello\n"

            handle = await sandbox.commands.run(["cat"], background=True)
            waiting = asyncio.create_task(handle.wait())
            await handle.send_stdin("x" * 1_000_000)
            await handle.close_stdin()
            assert len((await waiting).stdout) == 1_000_000

            try:
                await sandbox.commands.run("exit 5")
                raise AssertionError("an exit code is an error")
            except CommandExitError as error:
                assert error.exit_code == 5

            async with await sandbox.files.watch() as changes:
                await sandbox.files.write("seen.txt", "x")
                async for change in changes:
                    if change.path == "/workspace/seen.txt":
                        break
            return sandbox.id

    sandbox_id = asyncio.run(work())

    async def look():
        async with AsyncFumehood() as client:
            assert (await client.users.whoami()).roles == ["engineer"]
            assert [run async for run in client.runs.list()] is not None
            return [one.id for one in await client.sandboxes.list()]

    assert sandbox_id not in asyncio.run(look())


def test_cancelling_a_wait_ends_the_command(engineer):
    async def work():
        async with await AsyncSandbox.create(memory="256m", ttl="10m") as sandbox:
            task = asyncio.create_task(sandbox.commands.run(["sleep", "777"]))
            await asyncio.sleep(0.5)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            for _ in range(150):
                shown = (await sandbox.commands.run(["sh", "-c", "cat /proc/[0-9]*/cmdline"], check=False)).stdout
                if "sleep\0777" not in shown:
                    return True
                await asyncio.sleep(0.2)
            return False

    assert asyncio.run(work())
