<?php
/**
 * Orders as WooCommerce keeps them: read whole, changed in memory, saved field by field, cached in a process, and without
 * a lock of their own.
 */

declare(strict_types=1);

/** What orders and refunds share. */
abstract class Stand_In_Record {
	protected array $data;
	protected array $meta = array();
	protected array $changes = array();
	protected array $changed_meta = array();

	public function __construct( protected int $id = 0 ) {
		$this->data = array( 'status' => 'pending', 'type' => 'shop_order', 'parent' => 0, 'created' => time(), 'fields' => array() );
		if ( 0 !== $id ) {
			$row                  = stand_in_sql( 'SELECT * FROM orders WHERE id = ?', array( $id ) )[0];
			$this->data           = $row;
			$this->data['fields'] = json_decode( $row['fields'], true );
			$this->read_meta_data( true );
		}
	}

	public function get_id(): int {
		return $this->id;
	}

	public function read_meta_data( bool $forced = false ): void {
		$this->meta = array();
		foreach ( stand_in_sql( 'SELECT key, value FROM meta WHERE order_id = ?', array( $this->id ) ) as $row ) {
			$this->meta[ $row['key'] ] = unserialize( $row['value'] );
		}
	}

	public function get_meta( string $key ): mixed {
		return $this->meta[ $key ] ?? '';
	}

	public function update_meta_data( string $key, mixed $value ): void {
		$this->meta[ $key ]         = $value;
		$this->changed_meta[ $key ] = true;
	}

	public function delete_meta_data( string $key ): void {
		unset( $this->meta[ $key ] );
		$this->changed_meta[ $key ] = true;
	}

	protected function field( string $name ): mixed {
		return $this->data['fields'][ $name ] ?? null;
	}

	public function set_field( string $name, mixed $value ): void {
		$this->data['fields'][ $name ] = $value;
		$this->changes['fields']       = true;
	}

	public function save(): int {
		usleep( random_int( 0, 2 * (int) ( getenv( 'STAND_IN_SLOW_US' ) ?: 0 ) ) );
		if ( 0 === $this->id ) {
			stand_in_sql( 'INSERT INTO orders (parent, type, status, created, fields) VALUES (?, ?, ?, ?, ?)', array( $this->data['parent'], $this->data['type'], $this->data['status'], $this->data['created'], json_encode( $this->data['fields'] ) ) );
			$this->id = (int) stand_in_db()->lastInsertId();
		} else {
			foreach ( array_keys( $this->changes ) as $name ) {
				$value = 'fields' === $name ? json_encode( $this->data['fields'] ) : $this->data[ $name ];
				stand_in_sql( "UPDATE orders SET $name = ? WHERE id = ?", array( $value, $this->id ) );
			}
		}
		foreach ( array_keys( $this->changed_meta ) as $key ) {
			stand_in_sql( 'DELETE FROM meta WHERE order_id = ? AND key = ?', array( $this->id, $key ) );
			if ( array_key_exists( $key, $this->meta ) ) {
				stand_in_sql( 'INSERT INTO meta VALUES (?, ?, ?)', array( $this->id, $key, serialize( $this->meta[ $key ] ) ) );
			}
		}
		$this->changes      = array();
		$this->changed_meta = array();
		return $this->id;
	}
}

class WC_Order extends Stand_In_Record {
	private ?array $transition = null;

	public function get_status(): string {
		return $this->data['status'];
	}

	public function has_status( string|array $statuses ): bool {
		return in_array( $this->data['status'], (array) $statuses, true );
	}

	public function is_paid(): bool {
		return $this->has_status( array( 'processing', 'completed' ) );
	}

	public function get_date_paid(): ?string {
		return $this->field( 'date_paid' );
	}

	public function get_total(): mixed {
		return apply_filters( 'woocommerce_order_get_total', $this->field( 'total' ), $this );
	}

	public function get_currency(): string {
		return $this->field( 'currency' );
	}

	public function get_payment_method(): string {
		return $this->field( 'payment_method' );
	}

	public function get_order_key(): string {
		return $this->field( 'key' );
	}

	public function get_transaction_id(): string {
		return (string) $this->field( 'transaction_id' );
	}

	public function get_billing_email(): string {
		return (string) $this->field( 'email' );
	}

	public function get_billing_country(): string {
		return (string) $this->field( 'country' );
	}

	public function get_checkout_payment_url(): string {
		return home_url( "/checkout/order-pay/{$this->id}/?pay_for_order=true&key=" . $this->get_order_key() );
	}

	public function get_created_via(): string {
		return 'checkout';
	}

	public function get_items( array $types ): array {
		return array_map( static fn( array $item ): Stand_In_Item => new Stand_In_Item( $item ), $this->field( 'items' ) ?? array() );
	}

	public function get_remaining_refund_amount(): string {
		$cents = self::cents( $this->get_total() );
		foreach ( stand_in_sql( "SELECT id FROM orders WHERE parent = ? AND type = 'shop_order_refund'", array( $this->id ) ) as $row ) {
			$cents -= self::cents( ( new WC_Order_Refund( (int) $row['id'] ) )->get_amount() );
		}
		return sprintf( '%d.%02d', intdiv( $cents, 100 ), $cents % 100 );
	}

	public static function cents( string $amount ): int {
		$parts = explode( '.', $amount );
		return 100 * (int) $parts[0] + (int) substr( str_pad( $parts[1] ?? '', 2, '0' ), 0, 2 );
	}

	public function add_order_note( string $note ): void {
		stand_in_sql( 'INSERT INTO notes (order_id, note) VALUES (?, ?)', array( $this->id, $note ) );
	}

	public function set_status( string $status ): void {
		$this->transition      ??= array( $this->data['status'] );
		$this->data['status']    = $status;
		$this->changes['status'] = true;
		if ( $this->is_paid() && null === $this->get_date_paid() ) {
			$this->set_field( 'date_paid', gmdate( 'c' ) );
		}
	}

	public function update_status( string $status, string $note = '' ): bool {
		if ( 'yes' === getenv( 'STAND_IN_BROKEN_SAVE' ) ) {
			return false;
		}
		$this->set_status( $status );
		$this->add_order_note( "$note → $status" );
		$this->save();
		return true;
	}

	public function payment_complete( string $payment_id = '' ): bool {
		stand_in_log( 'payment_complete', $this->id, $payment_id );
		if ( 'yes' === getenv( 'STAND_IN_BROKEN_SAVE' ) ) {
			return false; // WooCommerce logs what went wrong, and says no more than this.
		}
		if ( $this->has_status( array( 'on-hold', 'pending', 'failed', 'cancelled' ) ) ) {
			$this->set_field( 'transaction_id', $payment_id );
			$this->set_field( 'date_paid', gmdate( 'c' ) );
			$this->set_status( apply_filters( 'woocommerce_payment_complete_order_status', 'processing', $this->id, $this ) );
			$this->save();
			do_action( 'woocommerce_payment_complete', $this->id, $payment_id );
		}
		return true;
	}

	public function save(): int {
		parent::save();
		$from             = $this->transition[0] ?? $this->data['status'];
		$this->transition = null;
		if ( $from !== $this->data['status'] ) {
			$this->moved( $from, $this->data['status'] );
		}
		if ( isset( $GLOBALS['stand_in_order_cache'][ $this->id ] ) ) {
			$GLOBALS['stand_in_order_cache'][ $this->id ] = $this;
		}
		return $this->id;
	}

	/** Send the mails and move the stock that WooCommerce would. */
	private function moved( string $from, string $to ): void {
		stand_in_log( 'moved', $this->id, "$from>$to" );
		$is_mailed = 'processing' === $to && in_array( $from, array( 'pending', 'on-hold', 'failed', 'cancelled' ), true );
		if ( $is_mailed ) {
			stand_in_log( 'mail', $this->id, 'processing_order' );
		}
		$is_reduced = '1' === $this->get_meta( '_order_stock_reduced' );
		if ( in_array( $to, array( 'processing', 'completed', 'on-hold' ), true ) && ! $is_reduced ) {
			stand_in_log( 'stock', $this->id, '-1' );
			$this->update_meta_data( '_order_stock_reduced', '1' );
			parent::save();
		}
		if ( in_array( $to, array( 'pending', 'cancelled' ), true ) && $is_reduced ) {
			stand_in_log( 'stock', $this->id, '+1' );
			$this->delete_meta_data( '_order_stock_reduced' );
			parent::save();
		}
		do_action( 'woocommerce_order_status_changed', $this->id, $from, $to, $this );
	}
}

final class Stand_In_Item {
	public function __construct( private array $item ) {}

	public function get_name(): string {
		return $this->item['name'];
	}

	public function get_quantity(): int {
		return $this->item['quantity'];
	}

	public function get_total(): string {
		return $this->item['total'];
	}

	public function get_total_tax(): string {
		return $this->item['tax'] ?? '0';
	}
}

class WC_Order_Refund extends Stand_In_Record {
	public static function of( int $parent, string $amount, string $reason ): self {
		$refund                 = new self();
		$refund->data['type']   = 'shop_order_refund';
		$refund->data['status'] = 'completed';
		$refund->data['parent'] = $parent;
		$refund->data['fields'] = array( 'amount' => $amount, 'reason' => $reason, 'refunded_payment' => false );
		return $refund;
	}

	public function get_amount(): string {
		return $this->field( 'amount' );
	}

	public function get_reason(): string {
		return $this->field( 'reason' );
	}

	public function get_refunded_payment(): bool {
		return $this->field( 'refunded_payment' );
	}

	public function delete( bool $forced ): bool {
		stand_in_sql( 'DELETE FROM orders WHERE id = ?', array( $this->id ) );
		stand_in_sql( 'DELETE FROM meta WHERE order_id = ?', array( $this->id ) );
		return true;
	}
}
