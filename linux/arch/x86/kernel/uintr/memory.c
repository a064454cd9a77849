// SPDX-License-Identifier: GPL-2.0
/*
 * User interrupts: memory that the CPU reaches from user mode.
 *
 * SENDUIPI executes in user mode and reads the target table and the UPID
 * through the page tables that are active there. With page-table isolation
 * these lack nearly all of the kernel. So tables and UPIDs live in an area of
 * their own, which has a whole top-level entry for itself; all page tables of
 * all processes, those for user mode included, share what is below that entry
 * (pti_init()). The pages are supervisor pages as ever. There must be nothing
 * else in them, because isolation does not protect what they hold.
 */

#include <linux/bitops.h>
#include <linux/mm.h>
#include <linux/pgalloc.h>
#include <linux/pgtable.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>
#include <linux/xarray.h>

#include <asm/uintr.h>

#include "uintr.h"

#define UPIDS_PER_PAGE		(PAGE_SIZE / sizeof(struct uintr_upid))

/**
 * uintr_init_area - make the top-level entry of the area
 *
 * Before any process exists, so that all get it. Called early for pti_init().
 */
void __init uintr_init_area(void)
{
	p4d_t *p4d = p4d_offset(pgd_offset_k(UINTR_AREA_START), UINTR_AREA_START);

	if (!pud_alloc(&init_mm, p4d, UINTR_AREA_START))
		panic("x86/uintr: no memory for a page table");
}

/* A page of zeros in the area, or NULL. May sleep. */
void *uintr_page_alloc(void)
{
	return __vmalloc_node_range(PAGE_SIZE, PAGE_SIZE, UINTR_AREA_START,
				    UINTR_AREA_END,
				    GFP_KERNEL_ACCOUNT | __GFP_ZERO | __GFP_NOWARN,
				    PAGE_KERNEL, 0, NUMA_NO_NODE,
				    __builtin_return_address(0));
}

void uintr_page_free(void *page)
{
	vfree(page);
}

/* Which UPIDs of a page are in use. */
struct upid_page {
	unsigned long		used;
};

/* Indexed by page number; the mark says that a page has free UPIDs. */
static DEFINE_XARRAY(upid_pages);
#define UPID_PAGE_FREE		XA_MARK_0

/* A new page, with its first UPID in use. */
static struct uintr_upid *upid_page_add(void)
{
	struct upid_page *page;
	void *memory;

	page = kzalloc(sizeof(*page), GFP_KERNEL);
	memory = uintr_page_alloc();
	if (!page || !memory)
		goto err;
	__set_bit(0, &page->used);

	/* The mark is set when others can use the rest. */
	if (xa_err(xa_store(&upid_pages, (unsigned long)memory >> PAGE_SHIFT,
			    page, GFP_KERNEL)))
		goto err;
	xa_set_mark(&upid_pages, (unsigned long)memory >> PAGE_SHIFT,
		    UPID_PAGE_FREE);
	return memory;

err:
	uintr_page_free(memory);
	kfree(page);
	return NULL;
}

/* A UPID of a page that has free ones, or NULL */
static struct uintr_upid *upid_find(void)
{
	struct upid_page *page;
	unsigned long index = 0;
	unsigned int slot;

	guard(spinlock)(&upid_pages.xa_lock);

	page = xa_find(&upid_pages, &index, ULONG_MAX, UPID_PAGE_FREE);
	if (!page)
		return NULL;

	slot = ffz(page->used);
	__set_bit(slot, &page->used);
	if (!~page->used)
		__xa_clear_mark(&upid_pages, index, UPID_PAGE_FREE);

	return (struct uintr_upid *)(index << PAGE_SHIFT) + slot;
}

/* A UPID of zeros, or NULL. May sleep. */
struct uintr_upid *uintr_upid_alloc(void)
{
	struct uintr_upid *upid;

	BUILD_BUG_ON(UPIDS_PER_PAGE != BITS_PER_LONG);

	upid = upid_find() ?: upid_page_add();
	if (upid)
		memset(upid, 0, sizeof(*upid));
	return upid;
}

/* No CPU can reach the UPID any more. May sleep. */
void uintr_upid_free(struct uintr_upid *upid)
{
	unsigned long index = (unsigned long)upid >> PAGE_SHIFT;
	unsigned int slot = offset_in_page(upid) / sizeof(*upid);
	struct upid_page *page;

	scoped_guard(spinlock, &upid_pages.xa_lock) {
		page = xa_load(&upid_pages, index);
		__clear_bit(slot, &page->used);
		if (page->used) {
			__xa_set_mark(&upid_pages, index, UPID_PAGE_FREE);
			return;
		}
		__xa_erase(&upid_pages, index);
	}
	uintr_page_free((void *)(index << PAGE_SHIFT));
	kfree(page);
}
