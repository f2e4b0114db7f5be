#ifndef COROLUA_SPEC_BEHIND_H
#define COROLUA_SPEC_BEHIND_H

#include <dlfcn.h>
#include <link.h>
#include <stdio.h>
#include <string.h>

/*
 * The function that a preloaded one stands before. The program loads some
 * libraries late, each for itself, where RTLD_NEXT does not look: those are
 * found by their name, which the call begins with. They are not linked to what
 * is preloaded: their constructors would then run before a sanitizer is ready.
 */
struct late_library {
	char part[32]; /* of its path, "/libquorum.so" */
	void *handle;
};

static inline int find_late(struct dl_phdr_info *info, size_t size, void *data)
{
	struct late_library *library = data;

	(void)size;
	if (strstr(info->dlpi_name, library->part) != NULL)
		library->handle =
			dlopen(info->dlpi_name, RTLD_LAZY | RTLD_NOLOAD);
	return library->handle != NULL;
}

static inline void *behind(const char *call)
{
	struct late_library library = {"", NULL};
	void *found = dlsym(RTLD_NEXT, call);

	if (found != NULL)
		return found;
	snprintf(library.part, sizeof library.part, "/lib%.*s.so",
		 (int)strcspn(call, "_"), call);
	dl_iterate_phdr(find_late, &library);
	return library.handle == NULL ? NULL : dlsym(library.handle, call);
}

#endif
