/* Lines on their way to a file. */
#include "trace/file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "common/fork.h"

/* Whoever reads along sees what happened so long ago. */
static const int64_t FLUSH_NANOSECONDS = 200000000;

int file_open(struct file *file, const char *path, bool is_new)
{
	int flags = O_WRONLY | O_CREAT | O_CLOEXEC;
	int fd = is_new ? open(path, flags | O_EXCL, 0600)
			: open(path, flags | O_TRUNC, 0666);

	if (fd < 0)
		return errno;
	file->fd = fd;
	file->forks = fork_depth();
	file->length = file->begun = 0;
	file->flushed = 0;
	file->lines = file->dropped = 0;
	file->error = 0;
	return 0;
}

/* Writes as much as the disk takes; how much that is. */
static size_t write_some(struct file *file, const char *bytes, size_t length)
{
	size_t written = 0;

	while (written < length) {
		ssize_t count =
			write(file->fd, bytes + written, length - written);

		if (count < 0 && errno == EINTR)
			continue;
		if (count <= 0) {
			file->error = count < 0 ? errno : EIO;
			break;
		}
		written += (size_t)count;
	}
	return written;
}

/* How much of the line that these bytes end in is among them. */
static size_t length_of_last(const char *bytes, size_t length)
{
	const char *end = memrchr(bytes, '\n', length);

	return end != NULL ? (size_t)(bytes + length - end) - 1 : length;
}

/* What a child made by fork has of the lines is its parent's. */
int file_flush(struct file *file)
{
	size_t written;

	if (file->forks != fork_depth()) {
		file->length = 0;
		return 0;
	}
	file->error = 0;
	written = write_some(file, file->bytes, file->length);
	if (memchr(file->bytes, '\n', written) != NULL)
		file->begun = 0;
	file->begun += length_of_last(file->bytes, written);
	memmove(file->bytes, file->bytes + written, file->length - written);
	file->length -= written;
	return file->error;
}

char *file_line(struct file *file, size_t most)
{
	if (FILE_ROOM - file->length < most)
		file_flush(file);
	if (FILE_ROOM - file->length >= most)
		return file->bytes + file->length;
	file->dropped++;
	return NULL;
}

void file_end_line(struct file *file, const char *end, int64_t now)
{
	file->length = (size_t)(end - file->bytes);
	file->lines++;
	if (now - file->flushed < FLUSH_NANOSECONDS)
		return;
	file->flushed = now;
	file_flush(file);
}

/* One too long for the room goes out by itself, if the disk takes all of it. */
static void add_long(struct file *file, const char *bytes, size_t length)
{
	size_t written;
	off_t before;

	if (file_flush(file) != 0) {
		file->dropped++;
		return;
	}
	before = lseek(file->fd, 0, SEEK_CUR);
	written = write_some(file, bytes, length);
	if (written == length) {
		file->lines++;
		return;
	}
	file->dropped++;
	if (before >= 0 && ftruncate(file->fd, before) == 0)
		lseek(file->fd, before, SEEK_SET);
}

void file_add(struct file *file, const char *bytes, size_t length)
{
	char *to;

	if (length > FILE_ROOM) {
		add_long(file, bytes, length);
		return;
	}
	to = file_line(file, length);
	if (to == NULL)
		return;
	memcpy(to, bytes, length);
	file->length += length;
	file->lines++;
}

/* Where the last line is not whole, it goes. */
static void drop_rest(struct file *file)
{
	off_t end = lseek(file->fd, 0, SEEK_CUR);

	for (size_t i = 0; i < file->length; i++)
		file->dropped += file->bytes[i] == '\n';
	if (end >= 0 && ftruncate(file->fd, end - (off_t)file->begun) != 0)
		return; /* no file that can be cut */
}

int file_close(struct file *file)
{
	int err = file_flush(file);

	if (err != 0)
		drop_rest(file);
	if (close(file->fd) != 0 && err == 0)
		err = errno;
	file->fd = -1;
	return err;
}
